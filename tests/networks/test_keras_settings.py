"""What a user's keras.json and shell say to Keras changes no network of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from gymnasium import spaces

from a2c_tf import cli, config
from a2c_tf.config import NetworkConfig
from a2c_tf.envs import registry
from a2c_tf.errors import ConfigError
from a2c_tf.networks import make_actor_critic
from a2c_tf.networks.actor_critic import torso_layers
from a2c_tf.runs.run_dir import RunDir

VECTOR = spaces.Box(-1, 1, (4,), np.float32)
PIXELS = spaces.Box(0, 255, (4, 40, 40), np.uint8)
KINDS: dict[str, tuple[spaces.Space, dict[str, Any]]] = {
    "mlp": (VECTOR, {"torso": "mlp"}),
    "normalized": (VECTOR, {"torso": "mlp", "normalize_observation": True}),
    "normalized images": (
        spaces.Box(0, 1, (4, 9, 9), np.float32),
        {"torso": "minatar", "normalize_observation": True},
    ),
    "lstm": (VECTOR, {"torso": "mlp", "core": "lstm", "shared": False}),
    "gru": (VECTOR, {"torso": "mlp", "core": "gru"}),
    "minatar": (spaces.Box(0, 1, (10, 10, 4), bool), {"torso": "minatar"}),
    "nature": (PIXELS, {"torso": "nature"}),
    "impala": (PIXELS, {"torso": "impala", "hidden": [8]}),
    "numbers": (
        spaces.Dict(a=spaces.Discrete(5), b=spaces.MultiDiscrete([3, 2]), c=spaces.MultiBinary(4)),
        {"torso": "mlp"},
    ),
}


@pytest.fixture
def of_others() -> Iterator[None]:
    """Keras as a user's keras.json may set it."""
    before = keras.config.floatx(), keras.config.image_data_format()
    keras.config.set_floatx("float64")
    keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_image_data_format(before[1])


def build(kind: str, action: spaces.Space) -> keras.Model:
    space, settings = KINDS[kind]
    spec = registry.make(config.load("cartpole").env).spec
    spec = spec._replace(observation_space=space, action_space=action)
    return make_actor_critic(spec, NetworkConfig.model_validate(settings))


@pytest.fixture
def expected(request: pytest.FixtureRequest) -> list[np.ndarray]:
    """The weights under the settings that Keras comes with."""
    return list(build(*request.param).get_weights())


CASES = [(kind, spaces.Discrete(3)) for kind in KINDS] + [("mlp", spaces.Box(-1, 1, (2,)))]


@pytest.mark.parametrize(("case", "expected"), [(c, c) for c in CASES], indirect=["expected"])
def test_networks_have_the_same_weights_in_float32(
    case: tuple[str, spaces.Space], expected: list[np.ndarray], of_others: None
) -> None:
    model = build(*case)
    weights = model.get_weights()
    assert [w.dtype for w in weights] == [w.dtype for w in expected]
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight, other)
    assert {output.dtype for output in model.output.values()} == {"float32"}
    assert {layer.compute_dtype for layer in torso_layers(model)} == {"float32"}


@pytest.mark.process
@pytest.mark.training
def test_a_run_has_the_same_bits(
    tmp_path: Path,
    command: Callable[..., Any],
    process: Callable[..., Any],
    state: Callable[[RunDir], dict[str, Any]],
) -> None:
    (tmp_path / "keras.json").write_text(
        json.dumps(
            {"floatx": "float64", "backend": "torch", "image_data_format": "channels_first"}
        ),
        encoding="utf-8",
    )
    settings = (
        *("minatar_breakout", "network.hidden=[8]", "env.num_envs=2", "run.total_steps=100"),
        *(
            "a2c.unroll_length=2",
            "run.updates_per_call=5",
            "run.eval_episodes=1",
            "run.export=false",
        ),
    )
    ours, theirs = RunDir(tmp_path / "ours"), RunDir(tmp_path / "theirs")
    assert command("a2c_tf.train", *settings, "--run-dir", ours.path).code == 0
    environment = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax"}
    outcome = process("a2c_tf.train", *settings, "--run-dir", theirs.path, env=environment)
    assert outcome.code == 0, outcome.err
    assert state(ours) == state(theirs)


def test_a_process_that_has_keras_on_another_backend_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match="Keras runs on jax, expected tensorflow; set KERAS_BAC"):
        cli.import_tensorflow()
