"""One game through three backends: the same run, to the bit, where its start leaves no choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from a2c_tf import config
from a2c_tf.runs.run_dir import RunDir
from benchmarks.backend_parity import STARTS

SMALL = (
    "env.num_envs=2",
    "env.atari.screen_size=20",
    "network.torso=mlp",
    "network.hidden=[16]",
    "a2c.entropy_coef=0.01",
    "optimizer.learning_rate=0.01",
    "run.total_steps=2200",  # a game in which every point is lost takes some 760
    "run.log_every=400",
)


def test_pong_is_learnt_alike_by_every_backend(
    tmp_path: Path, train: Callable[..., Any], state: Callable[[RunDir], dict[str, Any]]
) -> None:
    """Points, lost games and the starts after them come by the same frames at the same steps."""

    def trained(backend: str) -> dict[str, Any]:
        settings = [f"env.backend={backend}", *STARTS[backend], *SMALL]
        train(config.load("pong", settings), tmp_path / backend)
        return state(RunDir(tmp_path / backend))

    ale, gymnasium, envpool = (trained(backend) for backend in ("ale", "gymnasium", "envpool"))
    first, *_, last = ale["rows"]
    assert last["episodes"] >= 2 and last["policy/entropy"] != first["policy/entropy"]
    for other in (gymnasium, envpool):
        for part in ("counters", "model", "optimizer", "rows"):
            assert other[part] == ale[part], part
