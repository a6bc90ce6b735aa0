"""Invented observations: no larger than a network can read, whatever a space declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from a2c_tf import config
from a2c_tf.agent import make_agent
from a2c_tf.envs import registry
from a2c_tf.runs import observations
from a2c_tf.types import Counters, ObservedSteps
from export import exporting
from export.inference import Inference
from export.manifest import Source
from export.samples import collect_samples

HUGE = np.finfo(np.float32).max
SPACES = {
    "HugeForExports-v0": gymnasium.spaces.Box(-HUGE, HUGE, (3,)),
    "MixedForExports-v0": gymnasium.spaces.Box(
        np.float32([-2, -HUGE, 3]), np.float32([2, 5, HUGE])
    ),
    "WholeForExports-v0": gymnasium.spaces.Box(-(2**31), 2**31 - 1, (3,), np.int32),
}


class Still(gymnasium.Env):
    """Observes the same point of its space for ever."""

    def __init__(self, observation_space: gymnasium.spaces.Box) -> None:
        self.observation_space = observation_space
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return self._point, {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return self._point, 0.0, False, False, {}

    @property
    def _point(self) -> np.ndarray:
        return np.array([1, 2, 4], self.observation_space.dtype)


for name, space in SPACES.items():
    gymnasium.register(name, Still, kwargs={"observation_space": space}, max_episode_steps=9)


def source_of(env_id: str) -> Source:
    """A fresh ReLU network for that environment."""
    overrides = [f"env.id={env_id}", "env.num_envs=2", "network.activation=relu"]
    settings = config.load("cartpole", [*overrides, "env.backend=gymnasium"])
    agent = make_agent(registry.make(settings.env).spec, settings)
    return Source(agent, settings, Counters(), None)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", SPACES)
def test_bounds_of_a_dtype_are_not_tried(env_id: str, tmp_path: Path) -> None:
    source = source_of(env_id)
    samples = collect_samples(source.agent, Inference(source.agent), source.config)
    invented = samples.random["observation"]
    assert np.abs(invented).max() < 100
    assert len(np.unique(invented, axis=0)) > 20
    assert all(SPACES[env_id].contains(row) for row in invented if row.any())  # but for zero
    parity = exporting.export_agent(source, tmp_path / "export", "onnx")
    assert parity.max_difference["onnx"] <= 1e-5


def test_bounds_that_can_be_met_are_tried(exported: Any) -> None:
    agent = exported.source.agent
    samples = collect_samples(agent, Inference(agent), exported.source.config)
    space, invented = agent.spec.observation_space, samples.random["observation"]
    tried = {row.tobytes() for row in invented}
    for bound in (np.zeros_like(space.low), space.low, space.high):
        assert (bound.tobytes() in tried) == bool(np.isfinite(bound).all())


@pytest.mark.parametrize("core", ["none", "gru"])
def test_observed_steps_are_inputs_with_what_the_agent_remembers(core: str) -> None:
    """As if the agent had met them, each environment for itself."""
    rng = np.random.default_rng(0)
    last = np.array([[False, True], [False, False], [True, False], [False, False]])
    arrays = rng.normal(size=(4, 2, 4)).astype(np.float32)
    observed = ObservedSteps((arrays,), last, None)
    settings = config.load("cartpole", [f"network.core={core}", "network.core_size=3"])
    agent = make_agent(registry.make_spec(settings.env), settings)
    inference = Inference(agent)
    real = collect_samples(agent, inference, settings, observed).real
    np.testing.assert_array_equal(real["observation"], arrays.reshape(8, 4))
    if core == "none":
        assert list(real) == ["observation"]
        return
    states, starts = real["state_in"].reshape(4, 2, -1), real["reset"].reshape(4, 2)
    np.testing.assert_array_equal(starts, [[True, True], [False, True], [False] * 2, [True, False]])
    for i in range(2):
        state = np.zeros((1, states.shape[-1]), np.float32)
        for n in range(4):
            np.testing.assert_allclose(states[n, i], state[0], atol=1e-6)
            answers = inference(
                {
                    "observation": arrays[n, i][np.newaxis],
                    "state_in": state,
                    "reset": np.array([False]),
                }
            )
            state = answers["state_out"] * ~last[n, i]


def test_ever_so_many_observed_steps_are_thinned() -> None:
    settings = config.load("cartpole")
    agent = make_agent(registry.make_spec(settings.env), settings)
    arrays = np.zeros((600, 3, 4), np.float32)
    arrays[..., 0] = np.arange(600)[:, np.newaxis]
    observed = ObservedSteps((arrays,), np.zeros((600, 3), bool), None)
    real = collect_samples(agent, Inference(agent), settings, observed).real["observation"]
    assert 512 <= len(real) <= 1024
    assert {int(row[0]) for row in real} == set(range(0, 600, 2))


def test_a_kept_observation_comes_back_as_it_was(tmp_path: Path) -> None:
    observed = ObservedSteps(
        (np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.ones((3, 2))),
        np.zeros((3, 2), bool),
        np.ones((3, 2, 5), bool),
    )
    assert observations.load(tmp_path / "observations.npz") is None
    for kept in (observed, observed._replace(action_mask=None)):
        observations.save(tmp_path / "observations.npz", kept)
        again = observations.load(tmp_path / "observations.npz")
        assert again is not None
        for one, other in zip(again.arrays, kept.arrays, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)
        np.testing.assert_array_equal(again.last, kept.last)
        assert (again.action_mask is None) == (kept.action_mask is None)
