"""Videos: files read back, the episode that they show, and what cannot be filmed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from a2c_tf.agent import Agent, make_agent
from a2c_tf.config import Config, parse
from a2c_tf.envs import registry
from a2c_tf.envs.host.failures import HostEnvironmentError
from a2c_tf.envs.rendering.frames import DrawingError
from a2c_tf.errors import ConfigError
from a2c_tf.evaluation import recording, video
from a2c_tf.evaluation.evaluator import make_evaluator
from a2c_tf.evaluation.recording import Recording, make_drawable_env
from a2c_tf.runs import checkpoints
from a2c_tf.runs.run_dir import RunDir

EVALUATE = "a2c_tf.evaluate"
Command = Callable[..., Any]

OWN_MODULE = """
import gymnasium
import numpy as np

class Base(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action):
        self.steps += 1
        return self.observe(), 1.0, self.steps == 4, False, {}

    def observe(self):
        return np.full(3, self.steps / 10, np.float32)

class Rendered(Base):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}

    def render(self):
        assert self.render_mode == "rgb_array"
        return np.full((31, 41, 3), 40 * self.steps, np.uint8)

class Broken(Rendered):
    def render(self):
        raise RuntimeError("no more\\n  colours")

class Unequipped(Rendered):
    def render(self):
        raise gymnasium.error.DependencyNotInstalled("pygame is missing")

class Pixels(Base):
    observation_space = gymnasium.spaces.Box(0, 255, (40, 36, 4), np.uint8)

    def observe(self):
        stack = np.zeros((40, 36, 4), np.uint8)
        stack[..., -1] = 50 * self.steps
        return stack

for cls in (Base, Rendered, Broken, Unequipped, Pixels):
    gymnasium.register(f"{cls.__name__}ForVideos-v0", cls)
"""
STEPS = 4
"""of an episode of these."""


@pytest.fixture(scope="module", autouse=True)
def own_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("module")
    (folder / "environments_for_videos.py").write_text(OWN_MODULE, encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


def untrained(env_id: str, **settings: Any) -> tuple[Agent, Config]:
    config = parse(
        {
            "env": {"id": env_id},
            "network": {"torso": "mlp", "hidden": [4], **settings.pop("network", {})},
            **settings,
        }
    )
    return make_agent(registry.make(config.env).spec, config), config


def own(name: str) -> tuple[Agent, Config]:
    return untrained(f"environments_for_videos:{name}ForVideos-v0")


def pictures(count: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    """A square that moves over a ground with many shades."""
    ground = np.linspace(0, 120, width, dtype=np.uint8)
    frames = []
    for i in range(count):
        frame = np.tile(ground[np.newaxis, :, np.newaxis], (height, 1, 3))
        frame[10:20, 2 * i : 2 * i + 10] = (250, 120, 20)
        frames.append(frame)
    return frames


def read_gif(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """The frames, and for how many milliseconds each is shown."""
    frames, durations = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
    return frames, durations


def read_mp4(path: Path) -> tuple[list[np.ndarray], float]:
    """The frames, and how many are shown in a second."""
    reader, frames = cv2.VideoCapture(str(path)), []
    frames_per_second = reader.get(cv2.CAP_PROP_FPS)
    while (read := reader.read())[0]:
        frames.append(read[1][..., ::-1])  # it has blue first
    reader.release()
    return frames, frames_per_second


def test_a_gif_holds_the_frames(tmp_path: Path) -> None:
    frames = pictures(5)
    video.write(tmp_path / "a.gif", frames, 10)
    found, durations = read_gif(tmp_path / "a.gif")
    assert durations == [100] * 5
    np.testing.assert_allclose(found, frames, atol=4)  # of 256 colours
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


def test_equal_frames_of_a_gif_are_shown_for_longer(tmp_path: Path) -> None:
    a, b = pictures(2)
    video.write(tmp_path / "a.gif", [a, a, b, b, b], 20)
    assert read_gif(tmp_path / "a.gif")[1] == [100, 150]


def test_no_gif_is_quicker_than_browsers_are(tmp_path: Path) -> None:
    video.write(tmp_path / "a.gif", pictures(2), 120)
    assert read_gif(tmp_path / "a.gif")[1] == [20, 20]


@pytest.mark.process
@pytest.mark.parametrize(("height", "width"), [(40, 60), (41, 63)])
def test_an_mp4_holds_the_frames(height: int, width: int, tmp_path: Path) -> None:
    frames = pictures(6, height, width)
    video.write(tmp_path / "a.mp4", frames, 12)
    found, frames_per_second = read_mp4(tmp_path / "a.mp4")
    assert frames_per_second == 12
    assert len(found) == 6
    assert found[0].shape == (height + height % 2, width + width % 2, 3)
    for frame, expected in zip(found, frames, strict=True):
        error = np.abs(frame[:height, :width].astype(float) - expected)
        assert error.mean() < 8  # lossy
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.process
@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_what_fails_leaves_the_older_file(name: str, tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield from pictures(3)
        raise HostEnvironmentError("environment broke")

    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(HostEnvironmentError, match="environment broke"):
        video.write(tmp_path / name, frames(), 10)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(ConfigError, match=r"--video .*folder\.gif: "):
        video.write(tmp_path / "folder.gif", pictures(2), 10)


def evaluated(command: Command, *arguments: str | Path) -> tuple[dict[str, Any], str]:
    """What evaluate prints, and its one line on stderr."""
    outcome = command(EVALUATE, *arguments)
    assert outcome.code == 0, outcome.err
    (line,) = outcome.err.splitlines()
    return json.loads(outcome.out), line


@pytest.mark.process
@pytest.mark.parametrize("more", [[], ["--sampled", "--seed=3"]])
def test_evaluate_films_the_first_episode_of_its_seed(
    more: list[str], finished_run: RunDir, command: Command, tmp_path: Path
) -> None:
    early = checkpoints.listed(finished_run.checkpoints)[0].name.removeprefix("ckpt-")
    arguments = [finished_run.path, "--episodes=1", f"--checkpoint={early}", *more]
    for name in ("a.gif", "a.mp4"):
        path = tmp_path / name
        found, line = evaluated(command, *arguments, "--video", path)
        steps = round(found["mean_length"])
        assert line == f"video: {path}, {steps} steps, return {found['mean']:g}"
        assert json.loads(command(EVALUATE, *arguments).out) == found
    frames, frames_per_second = read_mp4(tmp_path / "a.mp4")
    assert (len(frames), frames_per_second) == (steps + 1, 50)
    assert sum(read_gif(tmp_path / "a.gif")[1]) == 20 * (steps + 1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("film.avi", "expected a file that ends in .gif or .mp4"),
        ("film", "expected a file that ends in .gif or .mp4"),
        ("missing/film.gif", "there is no folder"),
        (".", "expected a file that ends in"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_played(
    name: str,
    reason: str,
    finished_run: RunDir,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("a2c_tf.agent.load_agent", None)
    outcome = command(EVALUATE, finished_run.path, "--video", tmp_path / name)
    assert outcome.code == 2
    assert outcome.mistake.startswith(f"--video {tmp_path / name}: ")
    assert reason in outcome.mistake
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda name: None)
    video.check(tmp_path / "a.gif")
    with pytest.raises(ConfigError, match=r"pip install 'imageio-ffmpeg"):
        video.check(tmp_path / "a.mp4")


def record(agent: Agent, config: Config, deterministic: bool = True) -> Recording:
    env = make_drawable_env(config)
    return Recording(make_evaluator(agent, config, 1, deterministic, env=env), config)


@pytest.mark.slow
@pytest.mark.parametrize("deterministic", [True, False])
def test_memory_and_held_noise_are_those_of_the_evaluation(deterministic: bool) -> None:
    agent, config = untrained(
        "CartPole-v1", network={"core": "gru", "core_size": 8}, a2c={"noise_hold": 3}
    )
    recording = record(agent, config, deterministic)
    evaluator = make_evaluator(agent, config, 1, deterministic)
    for seed in (0, 1, 2):
        frames = list(recording.frames(seed))
        evaluation = evaluator.evaluate(1, seed)
        assert len(frames) == recording.steps + 1 == evaluation.lengths[0] + 1
        assert recording.episode_return == evaluation.returns[0]
        assert recording.complete


@pytest.mark.process
def test_an_episode_without_end_is_cut(
    finished_run: RunDir, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_STEPS", 5)
    path = tmp_path / "a.mp4"
    _, line = evaluated(command, finished_run.path, "--episodes=1", "--video", path)
    assert line == f"video: {path}, 5 steps, cut there, return 5"
    assert len(read_mp4(path)[0]) == 6


def test_an_environment_on_the_host_draws_itself() -> None:
    recording = record(*own("Rendered"))
    assert recording.frames_per_second == 7
    frames = list(recording.frames(0))
    assert [frame.shape for frame in frames] == [(9 * 31, 9 * 41, 3)] * (STEPS + 1)
    assert [int(frame[0, 0, 0]) for frame in frames] == [0, 40, 80, 120, 160]
    assert (recording.steps, recording.episode_return) == (STEPS, STEPS)


def test_one_that_cannot_is_seen_as_it_is_observed() -> None:
    recording = record(*own("Pixels"))
    frames = list(recording.frames(0))
    assert [frame.shape for frame in frames] == [(400, 360, 3)] * (STEPS + 1)
    assert [int(frame[0, 0, 0]) for frame in frames] == [0, 50, 100, 150, 200]


def test_one_of_which_there_is_no_picture_is_refused() -> None:
    with pytest.raises(DrawingError, match=r"BaseForVideos-v0 cannot be drawn.*rgb_array") as error:
        record(*own("Base"))
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("Broken", 1, "RuntimeError: no more colours"),
        ("Unequipped", 2, "DependencyNotInstalled: pygame is missing"),
    ],
)
def test_one_that_fails_to_draw_itself_is_named(name: str, code: int, reason: str) -> None:
    recording = record(*own(name))
    with pytest.raises((HostEnvironmentError, DrawingError)) as error:
        next(recording.frames(0))
    assert error.value.exit_code == code
    assert f"{name}ForVideos-v0 cannot draw itself: {reason}" in str(error.value)
