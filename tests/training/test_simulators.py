"""Commands treat host environments as simulators: few, each on its thread, always closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.simulator import EPISODE, Diary

from a2c_tf.evaluate import main as evaluate_main
from a2c_tf.train import main as train_main
from export.__main__ import main as export_main

NUM_ENVS = 2
ENVIRONMENT = ["env.id=support.simulator:Simulator-v0", f"env.num_envs={NUM_ENVS}"]
SHORT = [
    "run.total_steps=200",
    "run.updates_per_call=4",
    "network.hidden=[8]",
    "run.eval_episodes=3",
]

pytestmark = [pytest.mark.training, pytest.mark.process]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def trained(log: Path, *words: str) -> int:
    settings = [*ENVIRONMENT, f"env.kwargs.log={log}", *SHORT, *words]
    return train_main([*settings, "--run-dir", str(log.parent / "run")])


@pytest.mark.parametrize(("vectorization", "eval_every"), [("sync", 100), ("async", 0)])
def test_training(log: Path, vectorization: str, eval_every: int) -> None:
    words = [f"env.vectorization={vectorization}", f"run.eval_every={eval_every}"]
    code = trained(log, *words, f"run.export={str(vectorization == 'sync').lower()}")
    assert code == 0
    diary = Diary(log)
    diary.check(NUM_ENVS)
    # the first shows which settings suit it; gymnasium makes one more in this process, to learn the
    # spaces of those in processes
    assert diary.count("make") == 1 + NUM_ENVS + (vectorization == "async")
    played = 2 * 3 * EPISODE + (eval_every > 0) * 2 * 3 * EPISODE
    assert 200 <= diary.count("step") - played <= 200 + NUM_ENVS * 8 * 4


def test_an_environment_that_fails(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert trained(log, "env.kwargs.fail_at=30", "run.export=false") == 1
    Diary(log).check(NUM_ENVS)
    error = capfd.readouterr().err
    assert "sub-environment 0, episode 4, step 6 raised OSError: the arm is stuck" in error


def test_one_that_cannot_be_made_leaves_none_behind(
    log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert trained(log, "env.wrappers=[support.simulator:Diary]") == 2
    Diary(log).check(NUM_ENVS)
    assert "env.wrappers: support.simulator:Diary raised" in capfd.readouterr().err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulators")
    assert trained(folder / "log") == 0
    return folder / "run"


@pytest.fixture
def again(run: Path) -> Callable[[], Diary]:
    """What happens to the instances from now on."""
    log = run.parent / "log"
    log.write_text("")
    return lambda: Diary(log)


@pytest.mark.parametrize("episodes", [1, 2, 5])
def test_evaluation_plays_what_is_asked(
    run: Path, again: Callable[[], Diary], episodes: int
) -> None:
    assert evaluate_main([str(run), "--episodes", str(episodes)]) == 0
    diary = again()
    num_envs = min(episodes, NUM_ENVS)
    diary.check(num_envs)
    assert diary.count("make") == num_envs
    assert diary.count("step") == episodes * EPISODE
    # one reset an environment shows whether it has masks
    assert diary.count("reset") == episodes + num_envs


def test_a_video_and_an_evaluation_need_one(run: Path, again: Callable[[], Diary]) -> None:
    video = str(run / "a.gif")
    assert evaluate_main([str(run), "--episodes=1", "--video", video]) == 0
    diary = again()
    diary.check(1)
    assert diary.count("step") == 2 * EPISODE
    assert diary.count("render") == EPISODE + 1


def test_export_plays_nothing(run: Path, again: Callable[[], Diary]) -> None:
    assert export_main([str(run)]) == 0
    diary = again()
    diary.check(1)
    assert diary.count("step") == 0


def test_export_of_a_run_that_kept_no_observations_plays_a_little(
    run: Path, again: Callable[[], Diary], tmp_path: Path
) -> None:
    (run / "observations.npz").rename(tmp_path / "observations.npz")
    assert export_main([str(run)]) == 0
    diary = again()
    diary.check(NUM_ENVS)
    assert 0 < diary.count("step") <= 31 * NUM_ENVS
