"""Tensors as JSON lists: strict in element type, shape and finiteness, which NumPy is not."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.errors import InvalidInputError
from serving.json_codec import decode

MAX_ROWS = 1024
"""observations in one request."""

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "float64": "FP64",
}
"""NumPy's name -> the Open Inference Protocol's."""

Array = NDArray[Any]


class TensorSpec(msgspec.Struct, frozen=True):
    """Name, NumPy dtype and shape of a tensor whose first axis is the batch, written -1."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape without the batch."""
        return self.shape[1:]

    def __str__(self) -> str:
        sizes = ", ".join(["batch", *map(str, self.row_shape)])
        return f"{_values_of(self.dtype)} of shape [{sizes}], batch from 1 to {MAX_ROWS}"


def signature(spec: TensorSpec) -> str:
    """Returns name, dtype and shape, for a person."""
    return f"{spec.name} {spec.dtype} {list(spec.shape)}"


def depth_of(text: bytes) -> int:
    """Returns how many lists open before the first value."""
    rest = text.lstrip(b"[ \t\r\n")
    return text[: len(text) - len(rest)].count(b"[")


def decode_values(text: bytes, depth: int, spec: TensorSpec) -> Array:
    """Decodes nested JSON lists to an array.

    Args:
      text: JSON in UTF-8.
      depth: how deep the lists are nested.
      spec: for the dtype, and for errors.

    Returns:
      An array of rank `depth` in the dtype of `spec`.

    Raises:
      InvalidInputError: for another nesting, another type, a ragged list, or a value that the
        dtype cannot hold.
    """
    try:
        values = decode(text, _decoder(spec.dtype, depth), expected=str(spec))
        with np.errstate(over="ignore"):  # too large for float32 is infinite, which is refused
            return np.array(values, dtype=spec.dtype)
    except InvalidInputError as error:
        raise InvalidInputError(f"{spec.name}: {error}") from None
    except OverflowError as error:
        raise InvalidInputError(f"{spec.name}: {error}; expected {spec}") from None
    except ValueError:
        raise InvalidInputError(f"{spec.name}: lists of unequal length; expected {spec}") from None


def decode_row(text: bytes, spec: TensorSpec) -> Array:
    """Decodes one row of a tensor, as a batch of one.

    Raises:
      InvalidInputError: where the text holds anything else.
    """
    values = decode_values(text, len(spec.row_shape), spec)
    if values.shape != spec.row_shape:
        raise InvalidInputError(
            f"{spec.name}: received shape {list(values.shape)}; "
            f"expected {list(spec.row_shape)} for one, else {spec}"
        )
    batch = values[np.newaxis]
    check_batch(batch, spec)
    return batch


def check_batch(batch: Array, spec: TensorSpec) -> None:
    """Asserts that `batch` is `[rows, *row_shape]` and finite.

    Raises:
      InvalidInputError: where it is not.
    """
    check_shape(batch.shape, spec)
    if np.issubdtype(batch.dtype, np.floating) and not np.isfinite(batch).all():
        raise InvalidInputError(f"{spec.name}: holds a value beyond {spec.dtype}; expected {spec}")


def check_shape(shape: Sequence[int], spec: TensorSpec) -> None:
    """Asserts that `shape` is a batch of what `spec` describes.

    Raises:
      InvalidInputError: where it is not.
    """
    if tuple(shape[1:]) != spec.row_shape or not shape or not 1 <= shape[0] <= MAX_ROWS:
        received = ", ".join(map(str, shape[:8])) + (", ..." if len(shape) > 8 else "")
        raise InvalidInputError(f"{spec.name}: received shape [{received}]; expected {spec}")


def json_size(spec: TensorSpec) -> int:
    """Returns the bytes of the largest batch of one tensor as JSON, indentation apart."""
    return MAX_ROWS * math.prod(spec.row_shape) * _longest_value(np.dtype(spec.dtype))


@functools.cache
def _decoder(dtype: str, depth: int) -> msgspec.json.Decoder[Any]:
    kinds = {"b": bool | Literal[0, 1], "u": int, "i": int, "f": float}
    nested: Any = kinds[np.dtype(dtype).kind]
    for _ in range(depth):
        nested = list[nested]
    return msgspec.json.Decoder(nested)


def _values_of(dtype: str) -> str:
    if dtype == "bool":
        return "true, false, 0 or 1"
    if np.issubdtype(dtype, np.integer):
        return f"integers from {np.iinfo(dtype).min} to {np.iinfo(dtype).max}"
    return f"finite {dtype} numbers"


def _longest_value(dtype: np.dtype[Any]) -> int:
    """Returns the characters of the longest value with its comma and space."""
    if dtype.kind == "b":
        return len("false, ")
    if dtype.kind == "f":
        return len("-2.2250738585072014e-308, ")
    info = np.iinfo(dtype)
    return max(len(f"{info.min}, "), len(f"{info.max}, "))
