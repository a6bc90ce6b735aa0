"""Exports of a trained CartPole agent and of a fresh Breakout agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from a2c_tf import config
from a2c_tf.agent import load_agent, make_agent
from a2c_tf.envs import registry
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.types import Counters
from export import exporting
from export.manifest import Source


class Exported(NamedTuple):
    """An agent, and the folder to which it was exported."""

    source: Source
    folder: Path

    @property
    def onnx(self) -> Path:
        return self.folder / "policy.onnx"

    @property
    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        return content


@pytest.fixture(scope="session")
def cartpole(finished_run: RunDir) -> Exported:
    """As training left it."""
    settings = config.load(str(finished_run.config))
    checkpoint = checkpoints.load_newest(finished_run.checkpoints)
    agent = load_agent(settings, checkpoint)
    evaluation = run_dir.read_evaluation(finished_run, checkpoint.counters.env_steps)
    return Exported(Source(agent, settings, checkpoint.counters, evaluation), finished_run.export)


@pytest.fixture(scope="session")
def breakout(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Observations of bool `[10, 10, 4]`; never trained, never evaluated."""
    settings = config.load("minatar_breakout", ["network.hidden=[16]", "env.num_envs=2"])
    agent = make_agent(registry.make(settings.env).spec, settings)
    source = Source(agent, settings, Counters(), None)
    folder = tmp_path_factory.mktemp("breakout") / "export"
    exporting.export_agent(source, folder)
    return Exported(source, folder)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("cartpole", marks=pytest.mark.training),
        pytest.param("breakout", marks=pytest.mark.slow),
    ],
)
def exported(request: pytest.FixtureRequest) -> Exported:
    either: Exported = request.getfixturevalue(request.param)
    return either
