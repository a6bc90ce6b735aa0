"""Whole numbers outside of their space are refused, whatever a graph makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from a2c_tf.policies.inputs import InputReader
from serving.tensors import TensorSpec


def reader(dtype: str, row_shape: tuple[int, ...], space: dict[str, Any]) -> InputReader:
    spec = TensorSpec("observation", dtype, (-1, *row_shape))
    return InputReader({"observation": spec}, (), space)


DISCRETE = {"type": "Discrete", "n": 16, "start": -2}
MULTI_DISCRETE = {"type": "MultiDiscrete", "nvec": [2, 3], "start": [0, 5]}
MULTI_BINARY = {"type": "MultiBinary", "shape": [3]}


@pytest.mark.parametrize(
    ("read", "inside", "outside"),
    [
        (reader("int64", (), DISCRETE), [-2, 13, [-2, 0]], [-3, 14, [0, 14]]),
        (
            reader("int64", (2,), MULTI_DISCRETE),
            [[0, 5], [1, 7]],
            [[0, 4], [2, 5], [[0, 5], [1, 8]]],
        ),
        (reader("int8", (3,), MULTI_BINARY), [[0, 1, 1]], [[0, 1, 2], [-1, 0, 0]]),
    ],
)
def test_the_range_of_a_space_is_held(read: InputReader, inside: Any, outside: Any) -> None:
    for values in inside:
        inputs, is_single = read.read(values, None)
        np.testing.assert_array_equal(inputs["observation"], [values] if is_single else values)
    for values in outside:
        with pytest.raises(ValueError, match=r"observation: received .* whole numbers from"):
            read.read(values, None)


def test_the_range_of_a_key_is_held() -> None:
    specs = {
        "observation_room": TensorSpec("observation_room", "int64", (-1,)),
        "observation_view": TensorSpec("observation_view", "float32", (-1, 2)),
    }
    box = {"type": "Box", "shape": [2], "dtype": "float32", "low": -1.0, "high": 1.0}
    rooms = {"type": "Discrete", "n": 5, "start": 0}
    read = InputReader(specs, (), {"type": "Dict", "spaces": {"room": rooms, "view": box}})
    # values of a Box are as the environment has them, which may be a little outside
    read.read({"room": 4, "view": [2, 0]}, None)
    with pytest.raises(ValueError, match=r"observation\['room'\]: received 7; .* from 0 to 4"):
        read.read({"room": 7, "view": [0, 0]}, None)
