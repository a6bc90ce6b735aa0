"""Learning curves: of one run, of several, of none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

from a2c_tf import config
from a2c_tf.runs import curves, run_dir
from a2c_tf.runs.curves import save_curves
from a2c_tf.runs.run_dir import RunDir

Command = Callable[..., Any]


def make_run(path: Path, returns: dict[int, float]) -> RunDir:
    """A run with these returns of an episode by environment steps."""
    folder = run_dir.create(path, config.load("cartpole"))
    rows = [
        {"env_steps": steps, "steps_per_second": 9.0, "episode_return": value}
        for steps, value in returns.items()
    ]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def drawn_pixels(path: Path) -> int:
    """Pixels that are not white."""
    pixels = image.imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 300
    return int(np.count_nonzero(pixels.min(axis=-1) < 0.9))


def test_one_run_is_drawn_as_an_image(finished_run: RunDir, tmp_path: Path) -> None:
    save_curves([finished_run], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert drawn_pixels(tmp_path / "curves.png") > 5_000


def test_the_curve_is_what_was_measured(tmp_path: Path) -> None:
    flat = make_run(tmp_path / "flat", {0: 0.0, 100: 0.0})
    bare = make_run(tmp_path / "bare", {0: 0.0})
    for run, name in ((flat, "flat.png"), (bare, "bare.png")):
        save_curves([run], tmp_path / name)
    assert drawn_pixels(tmp_path / "flat.png") > drawn_pixels(tmp_path / "bare.png")


def test_one_curve_goes_through_every_point() -> None:
    axes = Figure().subplots()
    curve = np.array([[100.0, 250.0, 300.0], [1.0, 5.0, 2.0]])
    curves._draw(axes, [curve])
    np.testing.assert_array_equal(np.array(axes.lines[0].get_data()), curve)


def test_several_seeds_are_their_mean_within_their_range() -> None:
    axes = Figure().subplots()
    low = np.array([[0.0, 100.0], [0.0, 10.0]])
    high = np.array([[0.0, 50.0, 200.0], [20.0, 20.0, 20.0]])
    curves._draw(axes, [low, high])
    steps, mean = (np.asarray(values) for values in axes.lines[0].get_data())
    assert (steps[0], steps[-1]) == (0.0, 100.0)  # as far as the shortest run
    np.testing.assert_allclose(mean, 10 + steps / 20)
    (band,) = axes.collections
    corners = band.get_paths()[0].get_extents()
    assert (corners.y0, corners.y1) == (0.0, 20.0)


def test_the_legend_says_how_many_seeds(tmp_path: Path, command: Command) -> None:
    runs = [make_run(tmp_path / str(seed), {0: 1.0, 100: 2.0 + seed}) for seed in range(3)]
    out = tmp_path / "curves.svg"
    outcome = command("a2c_tf.plot", *(run.path for run in runs), "--out", out)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    assert "mean of 3 runs" in out.read_text(encoding="utf-8")


def test_a_run_without_a_row_is_refused(tmp_path: Path, command: Command) -> None:
    run = make_run(tmp_path / "run", {})
    outcome = command("a2c_tf.plot", run.path, "--out", tmp_path / "curves.png")
    assert outcome.code == 2
    assert "metrics.jsonl holds no row" in outcome.mistake
    assert not (tmp_path / "curves.png").exists()


@pytest.mark.parametrize("name", ["missing/curves.png", "curves.doc", "run", ""])
def test_a_file_that_cannot_be_written_is_refused(
    tmp_path: Path, command: Command, name: str
) -> None:
    run = make_run(tmp_path / "run", {0: 1.0, 100: 2.0})
    outcome = command("a2c_tf.plot", run.path, "--out", tmp_path / name)
    assert outcome.code == 2
    assert outcome.mistake.startswith(f"--out {tmp_path / name}: ")
