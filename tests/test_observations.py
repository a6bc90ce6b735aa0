"""Images of whole numbers, channels first: what the network reads of them, and how."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf import observations, train_step
from a2c_tf.observations import Planes

PLANES = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 5)).astype(np.uint8)


def test_planes_become_channels_in_the_unit_interval(variant):
    given = tf.constant(PLANES)
    converted = variant(lambda: Planes(255.0)(given))()
    assert converted.dtype == tf.float32
    np.testing.assert_allclose(converted, np.moveaxis(PLANES, 1, -1) / 255.0, rtol=1.2e-7)


@pytest.mark.parametrize("compiles", [True, False])
def test_the_conversion_is_compiled_within_the_scope_alone(compiles):
    layer, wrapped = Planes(255.0), []

    def accelerate(function):
        wrapped.append(function)
        return train_step.xla(function) if compiles else function

    outside = layer(PLANES)
    with pytest.raises(ZeroDivisionError), observations.converting_by(accelerate, [layer]):
        assert len(wrapped) == 1
        np.testing.assert_allclose(layer(PLANES), outside, rtol=1.2e-7)
        raise ZeroDivisionError
    assert layer.convert == layer.in_operations


def test_a_layer_of_the_same_config_converts_alike():
    layer = Planes(255.0, name="screen")
    again = keras.layers.deserialize(
        keras.layers.serialize(layer), custom_objects={"Planes": Planes}
    )
    assert again.name == "screen"
    np.testing.assert_array_equal(again(PLANES), layer(PLANES))
