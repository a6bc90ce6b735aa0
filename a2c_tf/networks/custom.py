"""A user's own network, by import path, checked before it is used."""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from a2c_tf import spaces
from a2c_tf.types import EnvSpec

ROWS = 16
"""observations on which a model is run in training and in inference."""
QUANTIZABLE = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Embedding)
"""layers that take `training` for nothing but their weights in low precision."""


def build(path: str, spec: EnvSpec, head_size: int) -> keras.Model:
    """Builds the user's own model.

    Args:
      path: `my_package.models:build`, a function of (spec, head_size).
      spec: of the environment.
      head_size: width of the policy output.

    Returns:
      The Keras model that the function returned.

    Raises:
      ValueError: for a path that leads nowhere, a function that raises, or a model with other
        inputs and outputs than observation -> {"policy": [B, head_size], "value": [B]}, that is
        no functional model, or that computes something else in training than in inference.
    """
    function = _load(path)
    try:
        model = function(spec, head_size)
    except Exception as error:  # the user's code may raise anything
        raise ValueError(f"network.builder={path} raised {type(error).__name__}: {error}") from None
    if not isinstance(model, keras.Model):
        raise ValueError(f"network.builder={path} returned {model!r}; expected a keras.Model")
    if not getattr(model, "inputs", None):  # as a subclass of keras.Model without inputs has none
        raise ValueError(
            f"network.builder={path} returned {type(model).__name__}, a keras.Model without "
            "inputs; expected a functional model, keras.Model(inputs, outputs)"
        )
    _check_inputs(path, model, spec)
    _check_outputs(path, model, head_size)
    _check_same_in_training(path, model, spec)
    return model


def _check_inputs(path: str, model: keras.Model, spec: EnvSpec) -> None:
    """Checks that there is one input for each array of the observation; of a Dict, in a dict."""
    parts = spaces.parts(spec.observation_space).values()
    arrays = [((None, *(space.shape or ())), str(space.dtype)) for space in parts]
    expected = spaces.pack(spec.observation_space, arrays)
    received = keras.tree.map_structure(lambda x: (tuple(x.shape), x.dtype), model.input)
    if received != expected:
        raise ValueError(
            f"network.builder={path}: the model takes {received}; "
            f"expected {expected}, the observation"
        )


def _check_outputs(path: str, model: keras.Model, head_size: int) -> None:
    expected = {"policy": ((None, head_size), "float32"), "value": ((None,), "float32")}
    outputs = model.output if isinstance(model.output, dict) else {"output": model.output}
    given = {name: (tuple(x.shape), x.dtype) for name, x in outputs.items()}
    if given != expected:
        raise ValueError(f"network.builder={path}: the model outputs {given}; expected {expected}")


def _check_same_in_training(path: str, model: keras.Model, spec: EnvSpec) -> None:
    """Checks that nothing such as dropout makes the pass that learns another than that which acts.

    An on-policy gradient is that of the policy that acted. A model is run both ways on a few
    observations, since layers of any name may differ.
    """
    space = copy.deepcopy(spec.observation_space)
    space.seed(0)
    samples = [space.sample() for _ in range(ROWS)]
    rows = tf.nest.map_structure(lambda *arrays: np.stack(arrays), *samples)
    acting, learning = (model(rows, training=training) for training in (False, True))
    if all(np.allclose(acting[name], learning[name], equal_nan=True) for name in acting):
        return
    layers = ", ".join(f"{layer.name} ({type(layer).__name__})" for layer in _trained(model))
    raise ValueError(
        f"network.builder={path}: the model computes something else in training than in inference, "
        f"by {layers or 'a layer of it'}, where A2C acts and learns with one and the same; leave "
        "out dropout and noise, and normalise with LayerNormalization in place of batches"
    )


def _trained(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers that are called with `training`, those of models inside included."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _trained(layer)
        elif isinstance(layer, QUANTIZABLE):
            continue
        elif "training" in inspect.signature(layer.call).parameters:
            yield layer


def _load(path: str) -> Callable[[EnvSpec, int], keras.Model]:
    module_name, _, function_name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"network.builder={path}: {error}; expected my_package.models:build"
        ) from None
    except Exception as error:  # the user's module may raise anything
        raise ValueError(f"network.builder={path} raised {type(error).__name__}: {error}") from None
    if not callable(function):
        raise ValueError(
            f"network.builder={path}: received {function!r}; expected a function of (EnvSpec, int)"
        )
    return function
