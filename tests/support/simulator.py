"""An environment as simulators are: slow, bound to a thread, few; it logs what is done to it."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np

EPISODE = 8
"""steps."""
_numbers = itertools.count()


class Event(NamedTuple):
    """Something that was done to an instance."""

    instance: str
    thread: str
    what: str
    """make, reset, step, render or close."""


class Simulator(gymnasium.Env):
    """Observes (step, the last action); an action is rewarded by its number.

    Args:
      log: file to which each call is appended.
      fail_at: the step of an instance at which it raises; None: never.
      render_mode: `rgb_array` or None.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self, log: str, fail_at: int | None = None, render_mode: str | None = None
    ) -> None:
        self.observation_space = gymnasium.spaces.Box(0, EPISODE, (2,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.render_mode, self._fail_at = render_mode, fail_at
        self._log, self._name = log, f"{os.getpid()}.{next(_numbers)}"
        self._count = self._total = 0
        self._note("make")
        # sqlite3 refuses to be used on another thread than the one that connected
        self._database = sqlite3.connect(":memory:")
        self._database.execute("create table actions (action integer)")

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._note("reset")
        asyncio.get_event_loop()
        self._count = 0
        return self._observe(0), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._note("step")
        self._count, self._total = self._count + 1, self._total + 1
        if self._total == self._fail_at:
            raise OSError("the arm is stuck")
        self._database.execute("insert into actions values (?)", [int(action)])
        terminated = self._count == EPISODE
        return self._observe(action), float(action), terminated, False, self._info()

    def render(self) -> np.ndarray:
        self._note("render")
        self._database.execute("select count(*) from actions")
        return np.full((8, 8, 3), 20 * self._count, np.uint8)

    def close(self) -> None:
        self._note("close")
        self._database.close()

    def _observe(self, action: Any) -> np.ndarray:
        return np.array([self._count, action], np.float32)

    def _info(self) -> dict[str, Any]:
        """What nobody reads, and gymnasium could not merge."""
        winner = None if int(self._name.rpartition(".")[2]) % 2 else 1
        return {"path": np.arange(self._count), "winner": winner, "lives": "many"}

    def _note(self, what: str) -> None:
        with Path(self._log).open("a") as file:
            file.write(f"{self._name} {threading.get_ident()} {what}\n")


gymnasium.register("Simulator-v0", Simulator, disable_env_checker=True)


class Diary:
    """What the instances went through.

    Args:
      log: the file that they wrote.
    """

    def __init__(self, log: Path) -> None:
        self.events = [Event(*line.split()) for line in log.read_text().splitlines()]

    def count(self, what: str) -> int:
        """How often that was done, by all instances together."""
        return Counter(event.what for event in self.events)[what]

    @property
    def most_alive(self) -> int:
        """The largest number of instances that were alive at the same time."""
        alive = itertools.accumulate(
            {"make": 1, "close": -1}.get(event.what, 0) for event in self.events
        )
        return max(alive, default=0)

    def check(self, num_envs: int) -> None:
        """Checks the contract of simulators: few at a time, a thread for life, closed once."""
        assert self.most_alive <= num_envs
        for name in {event.instance for event in self.events}:
            life = [event for event in self.events if event.instance == name]
            assert len({event.thread for event in life}) == 1, name
            calls = [event.what for event in life]
            assert calls[0] == "make" and calls[-1] == "close", (name, calls[-3:])
            assert calls.count("close") == 1, name
