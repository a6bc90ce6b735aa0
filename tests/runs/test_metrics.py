"""Where a run's numbers go: JSON lines, TensorBoard, a terminal."""

from __future__ import annotations

import json
import os
import pty
import threading
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from a2c_tf.runs import metrics
from a2c_tf.runs.run_dir import read_metrics


def row(env_steps: int, **more: float) -> dict[str, Any]:
    return {
        "env_steps": env_steps,
        "steps_per_second": 1234.0,
        "loss/policy": 0.5,
        "loss/value": 0.25,
        **more,
    }


EVALUATED = row(300, **{"eval/return": 7.0})


def write(path: Path, resume_at: int, *rows: metrics.Row) -> None:
    writer = metrics.JsonLines(path, resume_at)
    for one in rows:
        writer.write(one)
    writer.close()


def test_json_lines_hold_the_rows_in_order(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 0, row(1), row(2, episode_return=3.5))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        row(1),
        row(2, episode_return=3.5),
    ]


def test_each_row_is_on_disk_once_it_is_written(tmp_path: Path) -> None:
    writer = metrics.JsonLines(tmp_path / "metrics.jsonl", 0)
    writer.write(row(1))
    assert read_metrics(tmp_path / "metrics.jsonl") == [row(1)]
    writer.close()


def test_a_new_run_starts_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 0, row(1))
    write(path, 0, row(2))
    assert read_metrics(path) == [row(2)]


def test_resuming_drops_the_rows_past_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 0, row(100), row(200), row(300), EVALUATED)
    write(path, 200, row(250))
    assert [one["env_steps"] for one in read_metrics(path)] == [100, 200, 250]


@pytest.mark.parametrize("end", ['{"env_steps": 3', '{"env_steps": 30}\n{"env', "\x00\x00"])
def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path, end: str) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 0, row(1), row(2))
    path.write_text(path.read_text() + end)
    assert read_metrics(path)[:2] == [row(1), row(2)]
    write(path, 2, row(3))
    assert read_metrics(path) == [row(1), row(2), row(3)]


def test_a_file_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_never_written(tmp_path: Path, value: float) -> None:
    path = tmp_path / "metrics.jsonl"
    writer = metrics.JsonLines(path, 0)
    with pytest.raises(ValueError, match="Out of range float"):
        writer.write(row(1, episode_return=value))
    writer.close()
    assert path.read_text() == ""


def test_tensorboard_holds_the_same_scalars_by_steps(tmp_path: Path) -> None:
    writer = metrics.TensorBoard(tmp_path)
    for one in (row(100, updates=3), row(200, updates=6), EVALUATED):
        writer.write(one)
    writer.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    tags = {"steps_per_second", "loss/policy", "loss/value", "updates", "eval/return"}
    assert set(events.Tags()["tensors"]) == tags
    found = [
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("updates")
    ]
    assert found == [(100, 3.0), (200, 6.0)]
    assert [event.step for event in events.Tensors("eval/return")] == [300]


def test_tensorboard_goes_on_from_the_rows_that_were_kept(tmp_path: Path) -> None:
    """What was written after the checkpoint that a run resumes from is not there twice."""
    first = metrics.TensorBoard(tmp_path)
    for one in (row(100, updates=3), row(200, updates=6), row(300, updates=9)):
        first.write(one)
    first.close()
    second = metrics.TensorBoard(tmp_path, [row(100, updates=3), row(200, updates=6)])
    second.write(row(300, updates=10))
    second.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    found = [
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("updates")
    ]
    assert found == [(100, 3.0), (200, 6.0), (300, 10.0)]


def test_writers_pass_each_row_to_each(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    both = metrics.Writers(*(metrics.JsonLines(path, 0) for path in paths))
    both.write(row(1))
    both.write(EVALUATED)
    both.close()
    assert [read_metrics(path) for path in paths] == [[row(1), EVALUATED]] * 2


def test_without_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = metrics.Progress(1000, start=0, interval_s=0.0)
    progress.write(row(400))
    progress.write(row(1010, episode_return=20.0))
    progress.close()
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.startswith("400 of 1,000 steps  1,234 steps/s  return -  loss policy 0.500 value")
    assert "return 20.00" in second and second.endswith("0 s left")
    assert out == ""


def test_plain_lines_come_no_more_often_than_asked(capsys: pytest.CaptureFixture[str]) -> None:
    progress = metrics.Progress(1000, start=0, interval_s=3600)
    for env_steps in range(100, 1000, 100):
        progress.write(row(env_steps))
    assert len(capsys.readouterr().err.splitlines()) == 1


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


def test_on_a_terminal_progress_is_one_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.stderr", terminal.stderr)
    progress = metrics.Progress(1000, start=0)
    try:
        progress.write(row(400, episode_return=12.5))
        progress.write(row(1000, episode_return=99.25))
    finally:
        progress.close()
        shown = terminal.close()
    assert "1000/1000" in shown and "return 99.25" in shown and "1,234 steps/s" in shown
    assert "\x1b[" in shown  # drawn over itself
