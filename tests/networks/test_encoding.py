"""Images of whole numbers, channels first: what the network reads of them, and how."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf import spaces
from a2c_tf.acceleration.compilation import compiled_image_conversion, xla
from a2c_tf.networks import encoding
from a2c_tf.networks.encoding import Planes

PLANES = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 5)).astype(np.uint8)


def test_planes_become_channels_in_the_unit_interval(variant):
    given = tf.constant(PLANES)
    converted = variant(lambda: Planes(255.0)(given))()
    assert converted.dtype == tf.float32
    np.testing.assert_allclose(converted, np.moveaxis(PLANES, 1, -1) / 255.0, rtol=1.2e-7)


@pytest.mark.parametrize("compiles", [True, False])
def test_the_conversion_is_compiled_within_the_scope_alone(compiles):
    layer, wrapped = Planes(255.0), []

    def compiler(function):
        wrapped.append(function)
        return xla(function) if compiles else function

    outside = layer(PLANES)
    with pytest.raises(ZeroDivisionError), compiled_image_conversion(compiler, [layer]):
        assert len(wrapped) == 1
        np.testing.assert_allclose(layer(PLANES), outside, rtol=1.2e-7)
        raise ZeroDivisionError
    assert layer.convert == layer.in_operations


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((4, 84, 84), True),
        ((84, 84, 4), False),
        ((3, 210, 160), True),
        ((210, 160, 3), False),
        ((8, 8, 111), False),  # of chess: more planes than rows
        ((111, 8, 8), True),
        ((10, 10, 10), False),
    ],
)
def test_where_the_channels_of_an_image_are(shape, first):
    assert spaces.has_channels_first(shape) == first
    space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
    encoded = encoding.encode(keras.Input(shape, dtype="uint8"), space, "seen", False)
    assert encoded.shape[1:] == ((*shape[1:], shape[0]) if first else shape)


@pytest.mark.parametrize(
    ("bound", "read"), [(255, 0.2), (1000, 0.051), (np.iinfo(np.int64).max, 51.0)]
)
def test_integers_are_divided_by_a_bound_that_somebody_chose(bound, read):
    space = gymnasium.spaces.Box(0, bound, (1,), np.int64)
    x = keras.Input((1,), dtype="int64")
    model = keras.Model(x, encoding.encode(x, space, "seen", False))
    np.testing.assert_allclose(model(np.array([[51]])), [[read]], rtol=1e-6)


def test_a_layer_of_the_same_config_converts_alike():
    layer = Planes(255.0, name="screen")
    again = keras.layers.deserialize(
        keras.layers.serialize(layer), custom_objects={"Planes": Planes}
    )
    assert again.name == "screen"
    np.testing.assert_array_equal(again(PLANES), layer(PLANES))
