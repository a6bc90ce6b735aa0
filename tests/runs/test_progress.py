"""The progress line: on a terminal, a narrow one, a dumb one, and on none."""

from __future__ import annotations

import os
import pty
import re
import threading
import time
from typing import Any

import pytest
from rich.cells import cell_len

from a2c_tf.runs.progress import Progress, Shown, line, no_status
from a2c_tf.types import Counters

START = Counters(env_steps=0, time_s=10.0)
"""The end of a call that compiled for ten seconds and took no step."""


def row(env_steps: int, **more: float) -> dict[str, Any]:
    return {
        "env_steps": env_steps,
        "time_s": 10.0 + env_steps / 100,
        "steps_per_second": 1234.0,
        "loss/policy": 0.5,
        "loss/value": 0.25,
        **more,
    }


def shown(env_steps: int, total: int, seconds_left: float | None, **more: float) -> Shown:
    return Shown(env_steps, total, row(env_steps, **more), seconds_left)


USUAL = shown(
    4_866_610,
    10_000_000,
    3912,
    **{"steps_per_second": 41_356, "episode_return": -151.7, "loss/policy": -0.0049},
)


def test_a_wide_line_has_all_numbers_in_full() -> None:
    assert line(USUAL) == line(USUAL, 200)
    assert line(USUAL) == (
        "4,866,610 of 10,000,000 steps  1:05 h left  41,356 steps/s  return -151.7  "
        "loss policy -0.005 value 0.250"
    )


def test_80_columns_have_all_numbers_in_short() -> None:
    assert line(USUAL, 80) == (
        "4.87M of 10M steps  1:05 h left  41.4k/s  return -151.7  loss -0.005 0.250"
    )


@pytest.mark.parametrize("width", range(1, 130))
def test_a_narrow_line_keeps_steps_and_time_left(width: int) -> None:
    text = line(USUAL, width)
    assert len(text) <= max(width, len("4.87M of 10M steps  1:05 h left"))
    assert re.match(r"4[.,]\S+ of 10\S+ steps  1:05 h left", text)


@pytest.mark.parametrize("steps", [0, 7, 999, 1000, 99_950, 999_499, 999_500, 10**7, 10**10])
@pytest.mark.parametrize("episode_return", [None, 0.0, -99.99, 100.0, 99_999.9, -1e7])
def test_80_columns_are_never_passed(steps: int, episode_return: float | None) -> None:
    more = {} if episode_return is None else {"episode_return": episode_return}
    text = line(shown(steps, 10**10, 86_400.0 * 9, **more), 80)
    assert len(text) <= 80
    assert " of 10G steps  216:00 h left" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (3599.4, "59:59 min"), (3600, "1:00 h")],
)
def test_time_left_is_in_seconds_minutes_or_hours(seconds: float, text: str) -> None:
    assert f"  {text} left  " in line(shown(5, 10, seconds))


def test_time_left_does_not_count_compilation(capsys: pytest.CaptureFixture[str]) -> None:
    """300 of 1,000 steps in 3 s after 10 s of compiling: 7 s are left, not 30."""
    progress = Progress(1000, 0, lambda: START, interval_s=0.0)
    progress.write(row(300))
    assert "300 of 1,000 steps  7 s left  " in capsys.readouterr().err


def test_time_left_is_unknown_as_long_as_only_the_compiling_call_was_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = Counters(env_steps=300, time_s=13.0)
    progress = Progress(1000, 0, lambda: first, interval_s=0.0)
    progress.write(row(300))
    progress.write(row(1000))
    unknown, done = capsys.readouterr().err.splitlines()
    assert unknown.startswith("300 of 1,000 steps  ? left  ")
    assert done.startswith("1,000 of 1,000 steps  0 s left  ")


def test_a_resumed_run_measures_from_where_it_went_on(capsys: pytest.CaptureFixture[str]) -> None:
    resumed = Counters(env_steps=500, time_s=15.0)
    progress = Progress(1000, 500, lambda: resumed, interval_s=0.0)
    progress.write(row(600))  # a second later
    assert "600 of 1,000 steps  4 s left" in capsys.readouterr().err


def test_without_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(1000, start=0, interval_s=0.0)
    progress.write(row(400))
    progress.write(row(1010, episode_return=20.0))
    progress.close()
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "400 of 1,000 steps  ? left  1,234 steps/s  return -  loss policy 0.500 value 0.250",
        "1,010 of 1,000 steps  0 s left  1,234 steps/s  return 20.00  "
        "loss policy 0.500 value 0.250",
    ]
    assert out == ""


def test_plain_lines_come_no_more_often_than_asked_and_the_last_always(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(1000, start=0, interval_s=3600)
    for env_steps in range(100, 1000, 100):
        progress.write(row(env_steps))
    assert len(capsys.readouterr().err.splitlines()) == 1
    progress.close()
    progress.close()
    (last,) = capsys.readouterr().err.splitlines()
    assert last.startswith("900 of 1,000 steps")


def wait_for(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What was written to stderr by the time that `text` was."""
    err, deadline = "", time.monotonic() + 60
    while text not in err and time.monotonic() < deadline:
        err += capsys.readouterr().err
    return err


def test_a_plain_line_tells_of_a_phase_that_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(1000, start=0, interval_s=0.01)
    with progress.status("exporting"):
        assert wait_for("exporting\n", capsys) == "0 of 1,000 steps  exporting\n"


def test_a_short_phase_has_no_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(1000, start=0, interval_s=3600)
    with progress.status("evaluating"):
        pass
    progress.close()
    assert capsys.readouterr().err == ""


def test_an_error_in_a_phase_is_passed_on_and_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(1000, start=0, interval_s=0.0)
    with pytest.raises(KeyError), progress.status("exporting"):
        raise KeyError("x")
    progress.write(row(400))
    assert "400 of 1,000 steps  ? left" in capsys.readouterr().err


def test_no_status_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with no_status("anything"):
        pass
    assert capsys.readouterr() == ("", "")


class Terminal:
    """A terminal as standard error, and what was shown on it."""

    def __init__(self) -> None:
        self._shown = b""
        self._master, slave = pty.openpty()
        self.stderr = os.fdopen(slave, "w")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def close(self) -> str:
        self.stderr.close()
        self._reader.join()
        os.close(self._master)
        return self._shown.decode()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 4096):
                self._shown += chunk
        except OSError:  # Linux's end of a terminal that nobody holds open
            return


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    opened = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return opened


def drawn(text: str) -> list[str]:
    """The lines that a terminal was sent, without its control sequences."""
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return [part.rstrip() for part in re.split(r"[\r\n]+", bare) if part.strip()]


def test_on_a_terminal_of_80_columns_steps_and_time_left_are_read(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.stderr)
    progress = Progress(5_000_000, start=0, compiled=lambda: START)
    try:
        progress.write(row(4_866_610, episode_return=23.2, steps_per_second=41_356.0))
        progress.write(row(5_000_000, episode_return=99.25))
    finally:
        progress.close()
        text = terminal.close()
    lines = drawn(text)
    assert lines[-1] == "5M of 5M steps  0 s left  1.23k/s  return 99.25  loss 0.500 0.250"
    assert all(cell_len(part) <= 80 for part in lines)
    assert "\x1b[" in text  # drawn over itself


def test_a_terminal_shows_each_phase_and_its_seconds(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.stderr)
    progress = Progress(5_000_000, start=0)
    try:
        with progress.status("compiling"):
            pass
        progress.write(row(265_046))
        progress.close()
        with progress.status("exporting"):
            pass
    finally:
        lines = drawn(terminal.close())
    assert "0 of 5,000,000 steps  compiling 0 s" in lines
    assert "265,046 of 5,000,000 steps  exporting 0 s" in lines


def test_what_is_printed_meanwhile_goes_to_its_own_file(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.stderr)
    progress = Progress(1000, start=0)
    try:
        progress.write(row(400))
        print("result")
    finally:
        progress.close()
        text = terminal.close()
    assert capsys.readouterr().out == "result\n"
    assert "result" not in text


def test_a_dumb_terminal_gets_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.stderr)
    monkeypatch.setenv("TERM", "dumb")
    progress = Progress(1000, start=0, interval_s=0.0)
    try:
        progress.write(row(400))
        progress.write(row(900))
    finally:
        progress.close()
        text = terminal.close()
    assert "\x1b" not in text
    assert [part[:18] for part in text.splitlines()] == ["400 of 1,000 steps", "900 of 1,000 steps"]
