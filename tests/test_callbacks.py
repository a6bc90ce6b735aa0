"""Callbacks as one: what they hear, in which order, and how they stop a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a2c_tf.callbacks import Callback, Callbacks
from a2c_tf.errors import ConfigError


class Answering(Callback):
    """Notes what it hears, and answers always the same."""

    def __init__(self, answer: Any = None, heard: list[str] | None = None, name: str = "") -> None:
        self.answer, self.name = answer, name
        self.heard = [] if heard is None else heard

    def on_metrics(self, row: Mapping[str, float]) -> bool | None:
        self.heard.append(f"{self.name}{row['env_steps']}")
        return self.answer


def test_events_wait_until_they_are_delivered() -> None:
    heard: list[str] = []
    callbacks = Callbacks([Answering(heard=heard, name="a"), Answering(heard=heard, name="b")])
    callbacks.add_metrics({"env_steps": 1})
    callbacks.add_metrics({"env_steps": 2})
    assert heard == []
    callbacks.deliver()
    callbacks.deliver()
    assert heard == ["a1", "b1", "a2", "b2"]


@pytest.mark.parametrize(
    ("answer", "stops"),
    [(None, False), (True, False), (np.True_, False), (False, True), (np.False_, True)],
)
def test_false_stops_as_in_stable_baselines3(answer: Any, stops: bool) -> None:
    last = Answering()
    callbacks = Callbacks([Answering(answer), last])
    callbacks.add_metrics({"env_steps": 1})
    callbacks.deliver()
    assert callbacks.stopped == stops
    assert last.heard == ["1"]  # all hear what one answers to


def test_an_error_is_kept_and_raised() -> None:
    class Failing(Callback):
        def on_checkpoint(self, path: Path) -> bool | None:
            raise OSError("no network")

    callbacks = Callbacks([Failing()])
    callbacks.add_checkpoint(Path("ckpt-1"))
    with pytest.raises(OSError, match="no network") as raised:
        callbacks.deliver()
    assert callbacks.error is raised.value


def test_a_callback_changes_nobody_elses_row() -> None:
    class Changing(Callback):
        def on_metrics(self, row: Mapping[str, float]) -> bool | None:
            row["env_steps"] = 0  # type: ignore[index]
            return None

    row, last = {"env_steps": 1}, Answering()
    callbacks = Callbacks([Changing(), last])
    callbacks.add_metrics(row)
    callbacks.deliver()
    assert last.heard == ["1"] and row == {"env_steps": 1}


def test_a_function_is_no_callback() -> None:
    with pytest.raises(ConfigError, match=r"received <built-in .*>; expected objects of a class"):
        Callbacks([print])  # type: ignore[list-item]


def test_the_base_class_goes_on() -> None:
    callbacks = Callbacks([Callback()])
    callbacks.start(Path("run"), None)  # type: ignore[arg-type]
    callbacks.add_metrics({})
    callbacks.add_evaluation({})
    callbacks.add_checkpoint(Path("run"))
    callbacks.deliver()
    callbacks.end()
    assert not callbacks.stopped and callbacks.error is None
