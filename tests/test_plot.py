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
from a2c_tf.runs.curve_statistics import band, curve, smooth, window
from a2c_tf.runs.curves import _read, save_curves
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.run_groups import by_environment, config_name

Command = Callable[..., Any]


def make_run(path: Path, returns: dict[int, float], *overrides: str) -> RunDir:
    """A run with these returns of an episode by environment steps."""
    folder = run_dir.create(path, config.load("cartpole", overrides))
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
    points = np.array([[100.0, 250.0, 300.0], [1.0, 5.0, 2.0]])
    curves._draw(axes, [points], "", "C0")
    for line in axes.lines:
        np.testing.assert_array_equal(np.array(line.get_data()), points)


def test_a_long_curve_is_smoothed_with_what_was_measured_behind_it() -> None:
    axes = Figure().subplots()
    points = np.stack([np.arange(60.0), np.arange(60) % 2])
    curves._draw(axes, [points], "", "C0")
    behind, line = axes.lines
    np.testing.assert_array_equal(np.array(behind.get_data()), points)
    assert behind.get_alpha() == 0.3 and behind.get_zorder() <= line.get_zorder()
    assert set(np.asarray(line.get_ydata())[2:-2]) == {0.4, 0.6}
    assert line.get_label() == "mean of 5 rows, as measured behind it"


def slow_smooth(values: np.ndarray, over: int) -> np.ndarray:
    """Means of as many values on both sides as there are, up to half of `over`."""
    means = []
    for i in range(len(values)):
        reach = min(over // 2, i, len(values) - 1 - i)
        means.append(values[i - reach : i + reach + 1].mean())
    return np.array(means)


@pytest.mark.parametrize(
    ("points", "over"), [(1, 1), (14, 1), (15, 1), (30, 3), (75, 5), (250, 17)]
)
def test_smoothing_is_a_centred_running_mean(points: int, over: int) -> None:
    values = np.random.default_rng(points).normal(size=points)
    assert window(points) == over
    np.testing.assert_allclose(smooth(values), slow_smooth(values, over), atol=1e-12)


def test_a_last_row_of_few_steps_is_left_out() -> None:
    rows = [{"env_steps": steps, "loss": 1.0} for steps in (100, 200, 300, 310)]
    found = curve(rows, "loss")
    assert found is not None and found[0].tolist() == [100.0, 200.0, 300.0]
    kept = curve(rows[:-1], "loss")
    assert kept is not None and kept[0].tolist() == [100.0, 200.0, 300.0]
    two = curve([rows[0], {"env_steps": 101, "loss": 2.0}], "loss")
    assert two is not None and two.shape == (2, 2)
    assert curve(rows, "other") is None


def test_several_seeds_are_their_mean_as_far_as_all_of_them_reach() -> None:
    low = np.array([[0.0, 100.0], [0.0, 10.0]])
    high = np.array([[0.0, 50.0, 200.0], [20.0, 20.0, 20.0]])
    found = band([low, high])
    assert found is not None
    assert (found.steps[0], found.steps[-1]) == (0.0, 100.0)
    np.testing.assert_allclose(found.mean, 10 + found.steps / 20)
    np.testing.assert_allclose(found.low, found.steps / 10)  # both draws may be the same seed
    np.testing.assert_allclose(found.high, 20.0)


def test_curves_that_do_not_overlap_have_no_mean() -> None:
    early, late = np.array([[0.0, 10.0], [1.0, 1.0]]), np.array([[20.0, 30.0], [1.0, 1.0]])
    assert band([early, late]) is None
    assert band([np.array([[5.0], [1.0]])] * 2) is None
    axes = Figure().subplots()
    curves._draw(axes, [early, late], "", "C0")
    assert len(axes.lines) == 4


def test_the_interval_is_that_of_the_mean() -> None:
    """Of many normal seeds it is 1.96 standard errors to both sides."""
    values = np.random.default_rng(1).normal(size=200)
    found = band([np.array([[0.0, 1.0], [value, value]]) for value in values])
    assert found is not None
    error = values.std() / np.sqrt(len(values))
    np.testing.assert_allclose(found.high - values.mean(), 1.96 * error, rtol=0.08)
    np.testing.assert_allclose(values.mean() - found.low, 1.96 * error, rtol=0.08)


def svg(tmp_path: Path, command: Command, *runs: RunDir) -> str:
    out = tmp_path / "curves.svg"
    outcome = command("a2c_tf.plot", *(run.path for run in runs), "--out", out)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    return out.read_text(encoding="utf-8")


def test_the_legend_says_how_many_seeds_and_which_interval(
    tmp_path: Path, command: Command
) -> None:
    runs = [
        make_run(tmp_path / str(seed), {0: 1.0, 100: 2.0 + seed}, f"run.seed={seed}")
        for seed in range(3)
    ]
    drawing = svg(tmp_path, command, *runs)
    assert "mean of 3 seeds, 95 % bootstrap interval" in drawing
    assert "CartPole-v1, config cartpole, seeds 0, 1, 2" in drawing


def test_the_title_names_environment_config_seed_and_score(
    tmp_path: Path, command: Command
) -> None:
    run = make_run(tmp_path / "run", {0: 1.0, 100: 2.0}, "run.seed=7", "a2c.gamma=0.9")
    evaluation = {"mean": 3.5, "std": 0.25, "episodes": 9, "deterministic": True, "env_steps": 100}
    run_dir.write_json(run.evaluation, evaluation)
    drawing = svg(tmp_path, command, run)
    title = "CartPole-v1, config cartpole, a2c.gamma=0.9, seed 7"
    assert title in drawing
    assert "final score 3.50 ± 0.25 (9 episodes greedy)" in drawing


def test_other_configs_are_lines_of_their_own(tmp_path: Path, command: Command) -> None:
    plain = [make_run(tmp_path / n, {0: 1.0, 9: 2.0}, f"run.seed={n}") for n in "12"]
    other = make_run(tmp_path / "3", {0: 1.0, 9: 2.0}, "a2c.gamma=0.5", "run.log_every=1")
    drawing = svg(tmp_path, command, *plain, other)
    assert "a2c.gamma=0.99: mean of 2 seeds" in drawing and "<!-- a2c.gamma=0.5 -->" in drawing
    assert "log_every" not in drawing


def test_environments_are_never_averaged(tmp_path: Path, command: Command) -> None:
    cartpole = make_run(tmp_path / "1", {0: 1.0, 9: 2.0})
    acrobot = make_run(tmp_path / "2", {0: 1.0, 9: 2.0}, "env.id=Acrobot-v1")
    drawing = svg(tmp_path, command, cartpole, acrobot)
    assert "mean of" not in drawing
    assert "CartPole-v1, config cartpole" in drawing and "Acrobot-v1, config acrobot" in drawing
    assert drawing.count("<!-- return of an episode -->") == 2
    (one, two) = by_environment([_read(cartpole), _read(acrobot)]).items()
    assert (one[0], two[0]) == ("CartPole-v1", "Acrobot-v1")


def test_a_run_of_an_environment_without_a_config_goes_by_its_folder(tmp_path: Path) -> None:
    settings = config.load("cartpole", ["env.id=Taxi-v3"])
    assert config_name(settings, tmp_path / "mine") == "run mine"


def test_a_name_lists_three_settings_at_most() -> None:
    changed = ["a2c.gamma=0.5", "a2c.unroll_length=9", "env.num_envs=3", "network.hidden=8"]
    settings = config.load("cartpole", [*changed, "run.seed=4"])
    assert config_name(settings, Path("x")) == (
        "config cartpole, env.num_envs=3, network.hidden=[8], a2c.unroll_length=9 and 1 more"
    )


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
