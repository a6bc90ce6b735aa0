"""`manifest.json`, which describes the `policy.onnx` beside it and what it must output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from serving.errors import InvalidInputError, ModelError
from serving.json_codec import decode
from serving.sampling import ActionDistribution
from serving.tensors import TensorSpec

FORMAT = 2
EXPECTED = "a manifest that export wrote"


class GoldenSample(msgspec.Struct):
    """One row of every input, and the outputs of the trained network for it."""

    inputs: dict[str, msgspec.Raw]
    outputs: dict[str, msgspec.Raw]


class Manifest(msgspec.Struct):
    """The part of the manifest that the server reads."""

    name: str
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    onnx_sha256: str
    action_distribution: ActionDistribution
    golden: list[GoldenSample]
    tolerance: dict[str, Annotated[float, msgspec.Meta(ge=0)]] = {}
    """by output, how far the numbers of the golden samples may be off by rounding, absolute."""


class _Header(msgspec.Struct):
    format: int


def read_manifest(path: Path) -> Manifest:
    """Reads the manifest in that file.

    Raises:
      ModelError: for text that is not JSON, another format, or a part that is missing or wrong.
    """
    text = path.read_bytes()
    try:
        header = decode(text, msgspec.json.Decoder(_Header), EXPECTED)
        if header.format != FORMAT:
            raise ModelError(
                f"{path}: manifest of format {header.format}, expected {FORMAT}; "
                "export the run again with this version"
            )
        return decode(text, msgspec.json.Decoder(Manifest), EXPECTED)
    except InvalidInputError as error:
        raise ModelError(f"{path}: {error}; export the run again") from None
