"""A user's own network: used as it is, and refused in one line where it does not fit."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.errors import ConfigError
from a2c_tf.training import assembly
from a2c_tf.unroll import initial_state
from export.formats import ExportError, run_onnx, write_onnx
from export.inference import Inference

MODELS = """
import keras

def build(spec, parameter_size, activation="elu"):
    x = observation = keras.Input(spec.observation_shape, dtype="float32", name="obs")
    x = keras.layers.Dense(7, activation)(x)
    policy = keras.layers.Dense(parameter_size)(x)
    value = keras.layers.Reshape(())(keras.layers.Dense(1)(x))
    return keras.Model(observation, {"policy": policy, "value": value})

def with_gelu(spec, parameter_size):
    return build(spec, parameter_size, activation="gelu")

def with_layer(layer):
    def build(spec, parameter_size):
        x = observation = keras.Input(spec.observation_shape, dtype="float32", name="obs")
        x = keras.Sequential([keras.layers.Dense(7), layer])(x)
        policy = keras.layers.Dense(parameter_size)(x)
        value = keras.layers.Reshape(())(keras.layers.Dense(1)(x))
        return keras.Model(observation, {"policy": policy, "value": value})
    return build

class Doubled(keras.layers.Layer):
    def call(self, x, training=False):
        return x * 2 if training else x

with_dropout = with_layer(keras.layers.Dropout(0.5, name="drop"))
without_dropout = with_layer(keras.layers.Dropout(0.0))
with_batch_norm = with_layer(keras.layers.BatchNormalization(name="norm"))
with_layer_norm = with_layer(keras.layers.LayerNormalization())
with_noise = with_layer(keras.layers.GaussianNoise(1.0, name="noise"))
with_own_layer = with_layer(Doubled(name="own"))

class Subclassed(keras.Model):
    def call(self, x):
        return x

def subclassed(spec, parameter_size):
    return Subclassed()

def wrong_input(spec, parameter_size):
    x = keras.Input((9,))
    return keras.Model(x, {"policy": keras.layers.Dense(2)(x), "value": x[:, 0]})

def wrong_outputs(spec, parameter_size):
    x = keras.Input(spec.observation_shape)
    return keras.Model(x, {"policy": keras.layers.Dense(5)(x), "value": x[:, 0]})

def one_output(spec, parameter_size):
    x = keras.Input(spec.observation_shape)
    return keras.Model(x, keras.layers.Dense(2)(x))

def fewer_arguments(spec):
    return build(spec, 2)

def no_model(spec, parameter_size):
    return 42

number = 42
"""


@pytest.fixture(autouse=True)
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user_models.py").write_text(MODELS, encoding="utf-8")
    (tmp_path / "models_that_raise.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("user_models", None)
    importlib.invalidate_caches()


def config_with(builder: str) -> Config:
    return Config.model_validate(
        {
            "env": {"id": "CartPole-v1", "num_envs": 4},
            "network": {"builder": builder},
            "a2c": {"unroll_length": 3},
        }
    )


@pytest.mark.slow
def test_it_trains_and_exports(tmp_path: Path) -> None:
    config = config_with("user_models:build")
    env = registry.make(config.env)
    agent = make_agent(env.spec, config)
    assert agent.model.count_params() == (4 * 7 + 7) + (7 + 1) + (7 * 2 + 2)
    before = agent.model.get_weights()
    _, step, _ = assembly.make_training(env, agent, config)
    seeds = make_seeds(0)
    step(initial_state(env, seeds.env, seeds.action), tf.constant(3))
    moved = zip(before, agent.model.get_weights(), strict=True)
    assert all((a != b).any() for a, b in moved)

    inference = Inference(agent)
    write_onnx(inference, tmp_path / "policy.onnx")
    inputs = {"observation": np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)}
    exported = run_onnx(tmp_path / "policy.onnx")(inputs)
    np.testing.assert_allclose(exported["logits"], inference(inputs)["logits"], atol=1e-5)


@pytest.mark.parametrize("builder", ["without_dropout", "with_layer_norm"])
def test_what_is_the_same_in_training_and_inference_is_taken(builder: str) -> None:
    config = config_with(f"user_models:{builder}")
    model = make_agent(registry.make(config.env).spec, config).model
    assert model.count_params() > 0


def test_an_operation_that_onnx_lacks_is_named_in_one_line(tmp_path: Path) -> None:
    config = config_with("user_models:with_gelu")
    inference = Inference(make_agent(registry.make(config.env).spec, config))
    with pytest.raises(ExportError, match=r"Erfc.*--format saved_model") as raised:
        write_onnx(inference, tmp_path / "policy.onnx")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "policy.onnx").exists()


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (
            "user_models:wrong_input",
            r"takes \(\(None, 9\), 'float32'\); expected \(\(None, 4\), 'float32'\), the obs",
        ),
        ("user_models:wrong_outputs", r"'policy': \(\(None, 5\).*expected.*\(None, 2\)"),
        ("user_models:one_output", "the model outputs"),
        ("user_models:subclassed", r"returned Subclassed, .* keras.Model\(inputs, outputs\)"),
        ("user_models:with_dropout", r"by drop \(Dropout\), where A2C acts and learns with one"),
        ("user_models:with_batch_norm", r"by norm \(BatchNormalization\), .* LayerNormalization"),
        ("user_models:with_noise", r"by noise \(GaussianNoise\)"),
        ("user_models:with_own_layer", r"by own \(Doubled\)"),
        ("user_models:no_model", "returned 42; expected a keras.Model"),
        ("user_models:fewer_arguments", "raised TypeError: fewer_arguments\\(\\) takes 1"),
        ("user_models:number", "received 42; expected a function"),
        ("user_models:absent", "has no attribute 'absent'; expected my_package.models:build"),
        ("models_that_raise:build", "models_that_raise:build raised RuntimeError: no licence"),
        ("absent_package:build", "No module named 'absent_package'"),
        ("user_models", "expected my_package.models:build"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(builder: str, message: str) -> None:
    config = config_with(builder)
    spec = registry.make(config.env).spec
    with pytest.raises(ConfigError, match=message) as raised:
        make_agent(spec, config)
    assert len(str(raised.value).splitlines()) == 1
