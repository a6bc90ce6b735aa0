"""Arrays of a checkpoint go into the variables of the same names and shapes, or into none."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from a2c_tf import config, optimizers
from a2c_tf.runs import checkpoints
from a2c_tf.runs.checkpoints import CheckpointError


def variables(**shapes: tuple[int, ...]) -> list[keras.Variable]:
    return [
        keras.Variable(np.zeros(shape, np.float32), name=name) for name, shape in shapes.items()
    ]


def test_restoring_sets_every_variable() -> None:
    kernel, bias = variables(kernel=(2, 2), bias=(2,))
    arrays = {"kernel": np.eye(2, dtype=np.float32), "bias": np.ones(2, np.float32)}
    checkpoints.restore([kernel, bias], arrays)
    np.testing.assert_array_equal(kernel, arrays["kernel"])
    np.testing.assert_array_equal(bias, arrays["bias"])
    assert checkpoints.named([kernel, bias]).keys() == arrays.keys()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"kernel": (2, 3), "bias": (2,)}, r"kernel is \(2, 3\) there and \(2, 2\) here"),
        ({"kernel": (2, 2)}, r"bias is absent there and \(2,\) here"),
        ({"kernel": (2, 2), "bias": (2,), "more": (1,)}, r"more is \(1,\) there and absent here"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_before_any_is_set(
    stored: dict[str, tuple[int, ...]], message: str
) -> None:
    wanted = variables(kernel=(2, 2), bias=(2,))
    with pytest.raises(CheckpointError, match=message):
        checkpoints.restore(wanted, {name: np.ones(shape) for name, shape in stored.items()})
    assert not any(np.any(variable.numpy()) for variable in wanted)


def test_optimizers_of_one_process_have_variables_of_the_same_names() -> None:
    settings = config.load("cartpole").optimizer
    first, second = (optimizers.make_optimizer(settings) for _ in range(2))
    for optimizer in (first, second):
        optimizer.build(variables(kernel=(2, 2)))
    assert checkpoints.named(first.variables).keys() == checkpoints.named(second.variables).keys()
