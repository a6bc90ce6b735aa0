"""ale-py's emulators in the compiled graph: all that Python's way to them gives, and when."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.rollouts import eager, graph, rollout, seed_of

from a2c_tf.config import AtariConfig, EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host import ale, atari, xla_handlers
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.ale import AleEnvironment, AleState
from a2c_tf.envs.host.failures import HostEnvironmentError, report_errors
from a2c_tf.types import TimeStep

pytestmark = pytest.mark.slow

_ale_py = pytest.importorskip("ale_py._ale_py")


def make(kind: type[HostEnvironment], **settings: Any) -> Environment:
    """Games whose starts and actions are left to chance, as `kind` steps them."""
    config = EnvConfig(**{"id": "ALE/Breakout-v5", "backend": "ale", "num_envs": 3} | settings)
    assert ale.is_available()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ale, "is_available", lambda: kind is AleEnvironment)
        env = registry.make(config)
    assert type(env) is kind
    return env


def played(env: Environment, steps: int, seed: int = 0) -> TimeStep:
    actions = np.random.default_rng(seed).integers(0, env.spec.action_space.n, (steps, 3), np.int32)
    return rollout(env, actions, seed)


def assert_alike(stream: TimeStep, expected: TimeStep) -> None:
    for name in ("observation", "reward", "discount", "last"):
        np.testing.assert_array_equal(getattr(stream, name), getattr(expected, name), name)


@pytest.mark.parametrize(
    "settings",
    [
        {"atari": AtariConfig(terminal_on_life_loss=True)},
        {"atari": AtariConfig(terminal_on_life_loss=False, frame_stack=2, screen_size=42)},
        {"id": "ALE/MsPacman-v5", "max_episode_steps": 120},
    ],
)
def test_it_steps_as_python_does(settings: dict[str, Any]) -> None:
    """Frame for frame, the last of a game as well, over lost lives, resets and another start."""
    ours, python = (make(kind, **settings) for kind in (AleEnvironment, HostEnvironment))
    assert ours.spec == python.spec
    for seed in (3, 4):
        expected = played(python, 260, seed)
        assert expected.last.any() and expected.reward.any()
        assert_alike(played(ours, 260, seed), expected)


def test_the_tests_above_lose_lives() -> None:
    stream = played(make(AleEnvironment), 260, 3)
    assert ((stream.discount == 0) & ~stream.last).any()


def test_steps_of_one_program_keep_their_order() -> None:
    """Though no action follows from what was seen, which would order them."""
    env, steps = make(AleEnvironment), 12
    actions = np.random.default_rng(0).integers(0, env.spec.action_space.n, (steps, 3), np.int32)

    def unrolled(state: AleState) -> TimeStep:
        met = []
        for action in actions:
            state, arrived = env.step(state, tf.constant(action))
            met.append(arrived)
        return tf.nest.map_structure(lambda *rows: tf.stack(rows), *met)

    compiled = xla_handlers.program(unrolled)
    expected = tf.nest.map_structure(lambda rows: rows[1:], played(make(HostEnvironment), steps))
    for _ in range(5):
        state, _ = env.reset(seed_of(0))
        assert_alike(compiled(state), expected)


@pytest.mark.parametrize("variant", [eager, graph])
def test_no_signal_comes_up_between_the_emulators_and_tensorflow(variant: Any) -> None:
    """Python would break off what it is in, and TensorFlow go on with half a step."""
    met: list[set[str]] = []

    def handle(number: int, frame: FrameType | None) -> None:
        names = set()
        while frame:
            names.add(frame.f_code.co_qualname)
            frame = frame.f_back
        met.append(names)

    env = make(AleEnvironment)
    step = variant(env.step)
    expected = played(make(HostEnvironment), 60)
    state, arrived = env.reset(seed_of(0))
    actions = np.random.default_rng(0).integers(0, env.spec.action_space.n, (60, 3), np.int32)
    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
    try:
        for t, action in enumerate(actions, 1):
            state, arrived = step(state, tf.constant(action))
            np.testing.assert_array_equal(arrived.observation, expected.observation[t])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(met) > 20
    assert not any(name.startswith("_as_alike") for names in met for name in names)


@pytest.mark.parametrize("word", [0, 2**31 - 2])
def test_seeds_follow_one_another_within_31_bits(
    monkeypatch: pytest.MonkeyPatch, word: int
) -> None:
    env = make(AleEnvironment)
    monkeypatch.setattr(ale, "reset_seed", lambda seed: word)
    expected = {0: [0, 1, 2], 2**31 - 2: [2**31 - 2, 2**31 - 1, 0]}[word]
    assert env._seeds(np.zeros(2, np.int32)).tolist() == expected


@pytest.fixture
def step_address() -> int:
    return xla_handlers.address_of(_ale_py.VectorXLAStep())


def test_a_tensorflow_without_the_interface_is_told_of(
    monkeypatch: pytest.MonkeyPatch, step_address: int
) -> None:
    monkeypatch.setattr(xla_handlers, "GET_API", "GetXlaFfiApi")
    with pytest.raises(
        xla_handlers.UnavailableError, match=r"TensorFlow 2\..* has no GetXlaFfiApi"
    ):
        xla_handlers.register("without", step_address)


def test_another_version_of_the_interface_is_refused(
    monkeypatch: pytest.MonkeyPatch, step_address: int
) -> None:
    monkeypatch.setattr(xla_handlers, "ALIKE_WITHOUT_STATE", ((0, 0), (0, 1)))
    with pytest.raises(xla_handlers.UnavailableError, match=r"API version .* incompatible"):
        xla_handlers.register("of_another_version", step_address)


def test_without_them_and_beside_a_gpu_python_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(name: str, address: int) -> None:
        raise xla_handlers.UnavailableError

    for owner, name, instead in (
        (tf.config, "list_physical_devices", lambda kind: [kind]),
        (xla_handlers, "register", refuse),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, instead)
            assert not ale.is_available.__wrapped__()
    monkeypatch.delattr(_ale_py, "VectorXLAStep")
    assert not ale.is_available.__wrapped__()


def test_frames_in_colour_are_put_in_planes_by_python() -> None:
    colored = AtariConfig(grayscale=False)
    env = atari.make_ale(EnvConfig(id="ALE/Pong-v5", num_envs=1, atari=colored))
    assert type(env) is HostEnvironment


def test_an_exception_of_ale_is_raised_and_leaves_the_emulators_alone() -> None:
    env = make(AleEnvironment)

    def reset_too_many() -> list[tf.Tensor]:
        indices = tf.range(env.spec.num_envs + 1)
        results = [*env._frames, *[env._rows(tf.int32)] * 4]
        arguments = [tf.constant(env._handle), indices, indices]
        return xla_handlers.call(ale.RESET, arguments, results)

    told = r"^environment ALE/Breakout-v5 raised InternalError: .*env_id 3 is out of range \[0, 3\)"
    with pytest.raises(HostEnvironmentError, match=told), report_errors(env):
        xla_handlers.program(reset_too_many)()
    assert_alike(played(env, 30), played(make(HostEnvironment), 30))
