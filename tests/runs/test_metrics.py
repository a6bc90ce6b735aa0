"""Where a run's numbers go first: JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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


def test_writers_pass_each_row_to_each(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    both = metrics.Writers(*(metrics.JsonLines(path, 0) for path in paths))
    both.write(row(1))
    both.write(EVALUATED)
    both.close()
    assert [read_metrics(path) for path in paths] == [[row(1), EVALUATED]] * 2
