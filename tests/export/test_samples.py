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
from a2c_tf.types import Counters
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
