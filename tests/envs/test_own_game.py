"""The game of docs/environments.md: it keeps the contract, is learnt, drawn and resumed."""

from __future__ import annotations

import functools
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import ROOT
from support.contract import GraphEnvironmentContract

from a2c_tf.envs import registration
from a2c_tf.envs.base import GraphEnvironment

Command = Callable[..., Any]
LONGEST = 60
"""lines of the example."""
LIMIT = 100
"""steps of an episode."""


@functools.cache
def source() -> str:
    """Returns the one block of code in the page that registers a game."""
    page = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    (code,) = [
        block
        for block in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        if "a2c_tf.envs.register(" in block
    ]
    return code


@functools.cache
def hunt() -> type[GraphEnvironment]:
    """Returns the class, whose id is registered from then on."""
    module = types.ModuleType("game_of_the_docs")
    exec(source(), module.__dict__)
    return module.Hunt


@pytest.fixture(autouse=True)
def not_registered() -> Iterator[None]:
    yield
    registration.unregister("Hunt-v0")
    sys.modules.pop("my_game", None)


def test_it_is_short() -> None:
    assert len(source().splitlines()) <= LONGEST


class TestContract(GraphEnvironmentContract):
    def make(self, num_envs: int, max_episode_steps: int = 15, **settings: Any) -> GraphEnvironment:
        return hunt()(num_envs, max_episode_steps, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        places = observation.reshape(2, 2).cumsum(axis=0)  # the prey's is relative to the hunter's
        return bool(np.all((places >= 0) & (places < 8)))

    def test_termination_at_the_limit_has_discount_0(self) -> None:
        """It has no end of its own: each is a truncation."""
        stream = self._stream()
        ends = np.flatnonzero(stream.last.any(axis=1))
        np.testing.assert_array_equal(ends, [15, 31])
        assert np.all(stream.discount == 1)


@pytest.mark.training
def test_it_is_learnt_and_has_all_that_built_in_games_have(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_game.py").write_text(source(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    trained = command(
        "a2c_tf.train",
        "env.id=my_game:Hunt-v0",
        "env.sticky_action_probability=0.05",
        "run.eval_episodes=20",
        "run.total_steps=150_000",
        "run.updates_per_call=25",
        "--run-dir",
        "run",
    )
    assert trained.code == 0, trained.err
    scores = json.loads((tmp_path / "run" / "evaluation.json").read_text("utf-8"))
    # random actions catch once in 100 steps
    assert scores["mean"] > 8
    manifest = json.loads((tmp_path / "run" / "export" / "manifest.json").read_text("utf-8"))
    assert manifest["environment"] == {"id": "Hunt-v0", "max_episode_steps": LIMIT}

    filmed = command("a2c_tf.evaluate", "run", "--episodes", "2", "--video", "hunt.gif")
    assert filmed.code == 0, filmed.err
    with Image.open(tmp_path / "hunt.gif") as film:
        assert (film.n_frames, film.size) == (LIMIT + 1, (400, 400))
        colors = {color for _, color in film.convert("RGB").getcolors(100_000)}
    assert {(86, 204, 242), (228, 72, 80)} <= colors  # hunter and prey

    more = ["run.total_steps=152_000", "run.eval_episodes=1", "--run-dir", "run", "--resume"]
    assert command("a2c_tf.train", *more, "run.export=false").code == 0
