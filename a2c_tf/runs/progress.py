"""The line that shows how far a run is, and what it is doing."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from a2c_tf.cli import say
from a2c_tf.runs.metrics import Row
from a2c_tf.types import Counters

Update = Callable[[str], None]
"""Shows another text for what a run is doing."""
Status = Callable[[str], AbstractContextManager[Update]]
"""Takes what a run is doing, and shows it as long as the context lasts, whose value updates it."""


def no_status(text: str) -> AbstractContextManager[Update]:
    """Shows nothing."""
    return contextlib.nullcontext(lambda text: None)


def episodes_report(update: Update) -> Callable[[int, int], None]:
    """Returns what an evaluation reports its progress to, shown as `evaluating, 3 of 100`."""
    return lambda done, asked: update(f"evaluating, {done} of {asked} episodes")


class PlainStatus:
    """Says what a command is doing on stderr, where it takes longer than `interval_s` seconds."""

    def __init__(self, interval_s: float = 5.0) -> None:
        self._interval = interval_s
        self._next_line = time.monotonic() + interval_s

    def __call__(self, text: str) -> None:
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + self._interval
            say(text, sys.stderr)


class Shown(NamedTuple):
    """What the line tells."""

    env_steps: int
    total_steps: int
    row: Row | None = None
    """the latest; None before the first."""
    seconds_left: float | None = None
    """None as long as the speed is unknown."""
    phase: str = ""
    """what is done in place of training."""
    phase_started: float = 0.0
    """by `time.monotonic`."""


class Progress:
    """Shows a live line on a terminal, else plain lines now and then.

    Args:
      total_steps: environment steps of the run.
      start: environment steps that were taken before.
      compiled: returns the counters from which speed is measured, those at the end of the call
        that compiles; None before.
      interval_s: seconds between plain lines, and before one about a phase.
    """

    def __init__(
        self,
        total_steps: int,
        start: int,
        compiled: Callable[[], Counters | None] = lambda: None,
        interval_s: float = 5.0,
    ) -> None:
        self._shown = Shown(start, total_steps)
        self._compiled = compiled
        self._interval = interval_s
        self._next_line = time.monotonic()
        self._said: Row | None = None
        console = Console(stderr=True)
        self._console = console if console.is_terminal and not console.is_dumb_terminal else None
        self._live: Live | None = None

    def write(self, row: Row) -> None:
        """Shows a row of metrics."""
        self._shown = self._shown._replace(
            env_steps=int(row["env_steps"]), row=row, seconds_left=self._seconds_left(row)
        )
        if self._console:
            self._start_live(transient=False)
        elif time.monotonic() >= self._next_line:
            self._say()

    @contextlib.contextmanager
    def status(self, text: str) -> Iterator[Update]:
        """Shows what the run is doing as long as the context lasts; yields what changes the text.

        Plain lines name only what lasts longer than their interval.
        """
        outer = self._shown
        self._shown = outer._replace(phase=text, phase_started=time.monotonic())
        alone = self._live is None
        self._next_line = time.monotonic() + self._interval
        timer = threading.Timer(self._interval, self._say)
        timer.daemon = True
        if self._console:
            self._start_live(transient=True)
        else:
            timer.start()
        try:
            yield self._update
        finally:
            timer.cancel()
            if alone:
                self._stop_live()
            self._shown = self._shown._replace(phase=outer.phase, phase_started=outer.phase_started)

    def close(self) -> None:
        """Leaves the last state of the line on the screen; `status` may still be used."""
        self._stop_live()
        if not self._console and self._shown.row is not self._said:
            self._say()

    def _update(self, text: str) -> None:
        self._shown = self._shown._replace(phase=text)
        if not self._console and time.monotonic() >= self._next_line:
            self._say()

    def _seconds_left(self, row: Row) -> float | None:
        left = max(self._shown.total_steps - row["env_steps"], 0)
        start = self._compiled()
        if not left or not start or row["time_s"] <= start.time_s:
            return 0.0 if not left else None
        speed = (row["env_steps"] - start.env_steps) / (row["time_s"] - start.time_s)
        return left / speed if speed else None

    def _say(self) -> None:
        self._next_line = time.monotonic() + self._interval
        self._said = self._shown.row
        say(line(self._shown), sys.stderr)

    def _start_live(self, transient: bool) -> None:
        if self._live is None and self._console:
            self._live = Live(
                self,
                console=self._console,
                transient=transient,
                redirect_stdout=sys.stdout.isatty(),  # a file shall have what is printed
            )
            self._live.start(refresh=True)

    def _stop_live(self) -> None:
        if self._live:
            self._live.stop()
        self._live = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws the line as it is now."""
        text = line(self._shown, options.max_width, time.monotonic())
        yield Text(text, no_wrap=True, overflow="ellipsis")


def line(shown: Shown, width: float = math.inf, now: float | None = None) -> str:
    """Returns the line: steps, time left, speed, return and losses, the most important first.

    Args:
      shown: what it tells.
      width: columns; numbers are shortened, and then the last parts left out, to fit them.
      now: by `time.monotonic`, for the seconds that a phase lasts; None leaves them out.

    Returns:
      The line, which is longer than `width` only where steps and time left are.
    """
    long, short = _parts(shown, now, short=False), _parts(shown, now, short=True)
    if _length(long) <= width:
        return "  ".join(long)
    while len(short) > 2 and _length(short) > width:
        short.pop()
    return "  ".join(short)


def _length(parts: list[str]) -> int:
    return len("  ".join(parts))


def _parts(shown: Shown, now: float | None, short: bool) -> list[str]:
    number = _short if short else "{:,.0f}".format
    steps = f"{number(shown.env_steps)} of {number(shown.total_steps)} steps"
    if shown.phase:
        seconds = "" if now is None else f" {_duration(now - shown.phase_started)}"
        return [steps, f"{shown.phase}{seconds}"]
    left = "?" if shown.seconds_left is None else _duration(shown.seconds_left)
    if shown.row is None:
        return [steps, f"{left} left"]
    row, per_second = shown.row, "/s" if short else " steps/s"
    episode_return = row.get("episode_return")
    policy, value = row["loss/policy"], row["loss/value"]
    return [
        steps,
        f"{left} left",
        f"{number(row['steps_per_second'])}{per_second}",
        f"return {'-' if episode_return is None else _four_digits(episode_return)}",
        f"loss {policy:.3f} {value:.3f}"
        if short
        else f"loss policy {policy:.3f} value {value:.3f}",
    ]


def _short(number: float) -> str:
    """Returns three digits and a letter, such as 265k, 4.87M and 5M."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * factor:
            return f"{number / factor:.3g}{letter}"
    return f"{number:.0f}"


def _four_digits(number: float) -> str:
    """Returns the number with two decimals, or fewer where it is large."""
    decimals = max(0, 2 - max(0, len(f"{abs(number):.0f}") - 2))
    return f"{number:.{decimals}f}"


def _duration(seconds: float) -> str:
    minutes, hours = round(seconds) // 60, round(seconds) // 3600
    if hours:
        return f"{hours}:{minutes % 60:02d} h"
    return f"{minutes}:{round(seconds) % 60:02d} min" if minutes else f"{seconds:.0f} s"
