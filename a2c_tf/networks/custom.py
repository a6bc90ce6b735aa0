"""A user's own network, by import path, checked before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import keras

from a2c_tf import spaces
from a2c_tf.types import EnvSpec


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
        inputs and outputs than observation -> {"policy": [B, head_size], "value": [B]}.
    """
    function = _load(path)
    try:
        model = function(spec, head_size)
    except Exception as error:  # the user's code may raise anything
        raise ValueError(f"network.builder={path} raised {type(error).__name__}: {error}") from None
    if not isinstance(model, keras.Model):
        raise ValueError(f"network.builder={path} returned {model!r}; expected a keras.Model")
    _check_inputs(path, model, spec)
    _check_outputs(path, model, head_size)
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
