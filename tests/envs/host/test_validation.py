"""Environments that break what they declare, found with their index and step."""

from __future__ import annotations

import functools
import multiprocessing
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from support.rollouts import seed_of

from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.envs.host.validation import ValidatedEnv
from a2c_tf.errors import CommandError, NonFiniteError

SPACE = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
GOOD = np.zeros(3, np.float32)
NEVER = np.zeros(2, bool)


class Breaking(gymnasium.Env):
    """Observes zeros, and at its third step what it is told to."""

    observation_space, action_space = SPACE, gymnasium.spaces.Discrete(2)

    def __init__(self, observation: Any = GOOD, reward: Any = 1.0) -> None:
        self.observation, self.reward, self.steps = observation, reward, 0

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        return GOOD, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps < 3:
            return GOOD, 1.0, False, False, {}
        if isinstance(self.observation, Exception):
            raise self.observation
        return self.observation, self.reward, False, False, {}


class BreakingVector(VectorEnv):
    """The same for two environments that a library steps at once, the second of which breaks."""

    def __init__(self, observation: Any = GOOD, reward: Any = 1.0, ends: Any = NEVER) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs, self.single_observation_space = 2, SPACE
        self.single_action_space = gymnasium.spaces.Discrete(2)
        self.one, self.ends = Breaking(observation, reward), ends

    def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros((2, 3), np.float32), {}

    def step(self, action: np.ndarray) -> tuple[Any, ...]:
        observation, reward, *_ = self.one.step(0)
        observations = np.stack([np.zeros_like(observation), observation])
        return observations, np.array([1.0, reward]), self.ends, NEVER, {}


def validated(index: int, **faults: Any) -> ValidatedEnv:
    return ValidatedEnv(Breaking(**(faults if index == 1 else {})), index)


def sync(**faults: Any) -> VectorEnv:
    return SyncVectorEnv([functools.partial(validated, i, **faults) for i in range(2)])


def complaint(vector_env: VectorEnv) -> str:
    """What the user is told in place of the third step."""
    env = HostEnvironment(lambda: vector_env, "Breaking-v0", "gymnasium", may_mask=False)
    step = tf.function(env.step)
    with pytest.raises(CommandError) as raised, report_errors(env):
        state, _ = env.reset(seed_of(0))
        for _ in range(3):
            state, _ = step(state, tf.constant([0, 0]))
    message = str(raised.value)
    assert "\n" not in message
    return message


FAULTS = [
    ({"observation": np.zeros(4, np.float32)}, "observation has shape [4]"),
    ({"observation": np.zeros(3, np.complex64)}, "observation has dtype complex64"),
    ({"observation": np.array([0, np.nan, 0], np.float32)}, "observation holds nan"),
    ({"observation": np.array([0, np.inf, 0], np.float32)}, "observation holds inf"),
    ({"reward": float("nan")}, "reward is nan"),
    ({"reward": None}, "reward is None; expected a number"),
    ({"reward": np.ones(1)}, "reward is array([1.]); expected a number"),
    ({"observation": [[0.0], [0.0, 0.0]]}, "raised ValueError: "),
    ({"observation": KeyError("door")}, "raised KeyError: 'door'"),
]


@pytest.mark.parametrize(("faults", "reason"), FAULTS)
def test_one_of_gymnasiums_is_named(faults: dict[str, Any], reason: str) -> None:
    message = complaint(sync(**faults))
    assert message.startswith("environment Breaking-v0: sub-environment 1, episode 1, step 3")
    assert reason in message


VECTOR_FAULTS = [
    ({"observation": np.zeros(4, np.float32)}, "step 3: observation has shape [2, 4]; "),
    ({"observation": np.zeros(3, np.complex64)}, "step 3: observation has dtype complex64; "),
    (
        {"observation": np.array([0, np.nan, 0], np.float32)},
        "sub-environment 1, step 3: observation holds nan; ",
    ),
    ({"reward": float("-inf")}, "sub-environment 1, step 3: reward holds -inf; "),
    (
        {"reward": 1e300},
        "sub-environment 1, step 3: reward is 1e+300; expected at most 1e+15; ",
    ),  # as a float32
    ({"reward": None}, "step 3: reward is object of shape [2]; expected numbers of shape [2]"),
    ({"ends": np.zeros(2, int)}, "step 1: terminated is int64 of shape [2]; expected bool of "),
    ({"ends": np.zeros((2, 1), bool)}, "step 1: terminated is bool of shape [2, 1]; expected "),
    ({"observation": KeyError("door")}, "step 3 raised KeyError: 'door'"),
]


@pytest.mark.parametrize(("faults", "expected"), VECTOR_FAULTS)
def test_one_of_a_library_is_named_where_it_shows(faults: dict[str, Any], expected: str) -> None:
    assert complaint(BreakingVector(**faults)).startswith(f"environment Breaking-v0: {expected}")


@pytest.mark.process
def test_what_a_process_raised_is_told_without_its_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from a2c_tf.envs.host.gymnasium_vector import QuietAsyncVectorEnv

    makers = [functools.partial(validated, i, observation=OSError("gone")) for i in range(2)]
    vector_env = QuietAsyncVectorEnv(makers, context="forkserver")
    try:
        message = complaint(vector_env)
    finally:
        vector_env.close(terminate=True)
    assert message.endswith("sub-environment 1, episode 1, step 3 raised OSError: gone")
    assert "Traceback" not in capfd.readouterr().err
    assert issubclass(QuietAsyncVectorEnv, AsyncVectorEnv)


def test_a_key_that_is_missing_is_named() -> None:
    env = Breaking()
    env.observation_space = gymnasium.spaces.Dict({"a": SPACE, "b": SPACE})
    with pytest.raises(RuntimeError, match=r"step 0: observed the keys \['a'\]; expected"):
        env.reset = lambda **_: ({"a": GOOD}, {})
        ValidatedEnv(env, 0).reset()


def test_narrower_numbers_are_no_fault() -> None:
    """float64 for float32, and int64 for int32, are what most environments give."""
    env = HostEnvironment(
        lambda: sync(observation=np.zeros(3)), "Fine-v0", "gymnasium", may_mask=False
    )
    state, _ = env.reset(seed_of(0))
    for _ in range(4):
        state, step = env.step(state, tf.constant([0, 0]))
    assert step.observation.dtype == tf.float32


class BreakingAtOnce(Breaking):
    """Gives its fault at the first reset."""

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.steps = 2
        observation, *_, info = self.step(0)
        return observation, info


@pytest.mark.parametrize("may_mask", [False, True])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (OSError("no such port"), "raised OSError: no such port"),
        (GOOD + np.nan, "observation holds nan"),
    ],
)
def test_a_first_reset_that_breaks_is_named(fault: Any, reason: str, may_mask: bool) -> None:
    """Whether it is the one that looks for masks, or that of the agent's start."""
    vector_env = SyncVectorEnv([lambda: ValidatedEnv(BreakingAtOnce(fault), 0)])
    make = functools.partial(HostEnvironment, lambda: vector_env, "Breaking-v0", "gymnasium")
    with pytest.raises(CommandError) as raised:
        make(may_mask=may_mask).reset(seed_of(0))
    message = str(raised.value)
    assert message.startswith("environment Breaking-v0: sub-environment 0, episode 1, step 0")
    assert reason in message


def test_what_is_tensorflows_own_is_not_put_down_to_an_environment() -> None:
    """Though that failed before: an error is reported once."""
    vector_env = sync(observation=KeyError("door"))
    env = HostEnvironment(lambda: vector_env, "Breaking-v0", "gymnasium", may_mask=False)
    state, _ = env.reset(seed_of(0))
    with pytest.raises(CommandError, match="Breaking-v0"), report_errors(env):
        for _ in range(3):
            state, _ = tf.function(env.step)(state, tf.constant([0, 0]))
    with pytest.raises(CommandError) as raised, report_errors(env):
        tf.io.read_file("/no/such/file")
    assert str(raised.value).startswith("TensorFlow raised NotFoundError: ")
    assert "Breaking-v0" not in str(raised.value)


def test_of_several_environments_the_one_that_failed_is_named() -> None:
    envs = [
        HostEnvironment(
            functools.partial(sync, **faults), f"{name}-v0", "gymnasium", may_mask=False
        )
        for name, faults in (("Fine", {}), ("Breaking", {"reward": float("nan")}))
    ]

    @tf.function
    def three_steps() -> None:
        states = [env.reset(seed_of(0))[0] for env in envs]
        for _ in range(3):
            pairs = zip(envs, states, strict=True)
            states = [env.step(state, tf.constant([0, 0]))[0] for env, state in pairs]

    with (
        pytest.raises(NonFiniteError, match=r"^environment Breaking-v0: ") as raised,
        report_errors(*envs),
    ):
        three_steps()
    assert isinstance(raised.value.__cause__, NonFiniteError)  # as the environment raised it


class Cut(BreakingVector):
    """Lives in a process that ends before the first step."""

    def step(self, action: np.ndarray) -> tuple[Any, ...]:
        ours, theirs = multiprocessing.Pipe()
        theirs.close()
        return ours.recv()


@pytest.mark.parametrize("variant", [lambda function: function, tf.function])
def test_a_process_that_has_ended_has_an_exit_code_of_its_own(variant: Any) -> None:
    env = HostEnvironment(Cut, "Breaking-v0", "gymnasium", may_mask=False)
    state, _ = env.reset(seed_of(0))
    with pytest.raises(CommandError) as raised, report_errors(env):
        variant(env.step)(state, tf.constant([0, 0]))
    assert raised.value.exit_code == 5
    assert "a process of its sub-environments has ended (EOFError)" in str(raised.value)


class Declaring(gymnasium.Env):
    """Observes what it is given at its second step, and at first a sample of its space."""

    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, space: gymnasium.Space, observation: Any) -> None:
        self.observation_space, self.observation = space, observation
        self.observation_space.seed(0)

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return self.observation_space.sample(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation, 1.0, False, False, {}


def declared(space: gymnasium.Space, observation: Any) -> HostEnvironment:
    makers = [lambda: ValidatedEnv(Declaring(space, observation), 0)]
    return HostEnvironment(lambda: SyncVectorEnv(makers), "Own-v0", "gymnasium")


def one_step(env: HostEnvironment) -> None:
    state, _ = env.reset(seed_of(0))
    env.step(state, tf.constant([0]))


WHERE = "environment Own-v0: sub-environment 0, episode 1, step 1: "
INTEGERS = gymnasium.spaces.Box(0, 3, (2,), np.int64)


@pytest.mark.parametrize(
    ("space", "observation", "message"),
    [
        (gymnasium.spaces.Discrete(5), 7, "observation holds 7; its space is Discrete(5)"),
        (gymnasium.spaces.Discrete(5), -1, "observation holds -1; its space is Discrete(5)"),
        (
            gymnasium.spaces.Discrete(5, start=2),
            1,
            "observation holds 1; its space is Discrete(5, start=2)",
        ),
        (
            gymnasium.spaces.MultiDiscrete([2, 3]),
            np.array([2, 0]),
            "observation holds 2; its space is MultiDiscrete([2 3])",
        ),
        (
            gymnasium.spaces.MultiBinary(2),
            np.array([0, 2], np.int8),
            "observation holds 2; its space is MultiBinary(2)",
        ),
        (INTEGERS, np.array([0, 4]), f"observation holds 4; its space is {INTEGERS}"),
        (
            gymnasium.spaces.Box(0, 255, (2,), np.uint8),
            np.array([0, 256], np.uint16),
            "observation holds 256; its space is Box(0, 255, (2,), uint8)",
        ),
        (
            gymnasium.spaces.Dict({"door": gymnasium.spaces.Discrete(2), "wall": SPACE}),
            {"door": 3, "wall": GOOD},
            "observation_door holds 3; its space is Discrete(2)",
        ),
    ],
)
def test_an_integer_outside_of_its_space_is_named(
    space: gymnasium.Space, observation: Any, message: str
) -> None:
    with pytest.raises(CommandError) as raised:
        one_step(declared(space, observation))
    assert str(raised.value) == WHERE + message


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (gymnasium.spaces.Discrete(5), 4),
        (gymnasium.spaces.MultiDiscrete([2, 3]), np.array([1, 2])),
        (INTEGERS, np.array([0, 3])),
        (gymnasium.spaces.Box(0, 255, (2,), np.uint8), np.array([0, 255], np.uint8)),
    ],
)
def test_the_ends_of_a_space_are_inside(space: gymnasium.Space, observation: Any) -> None:
    one_step(declared(space, observation))


def test_a_float_outside_of_its_box_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    env = declared(SPACE, np.array([0, 1.5, 0], np.float32))
    state, _ = env.reset(seed_of(0))
    for _ in range(3):
        state, _ = env.step(state, tf.constant([0]))
    assert caplog.messages == [
        "environment Own-v0: sub-environment 0, step 1: observation holds 1.5, outside of "
        "Box(-1.0, 1.0, (3,), float32); training goes on; declare wider bounds"
    ]


def test_rounding_is_no_float_outside(caplog: pytest.LogCaptureFixture) -> None:
    one_step(declared(SPACE, np.array([0, 1.000001, -1.000001], np.float32)))
    assert not caplog.messages


@pytest.mark.parametrize("reward", [1e20, -1e16])
def test_a_reward_that_overflows_in_the_loss_is_named(reward: float) -> None:
    message = complaint(sync(reward=reward))
    assert message == (
        "environment Breaking-v0: sub-environment 1, episode 1, step 3: "
        f"reward is {reward}; expected at most 1e+15; scale the rewards in a wrapper"
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["policy"], "the key 'policy': the network's own names are core, "),
        (["value"], "the key 'value': the network's own names"),
        (["core_state"], "the key 'core_state': the network's own names"),
        (["a", "A"], "the key 'A': but for upper and lower case 'a' is the same"),
        (["a b"], "the key 'a b': expected letters, digits and underscores"),
    ],
)
def test_a_key_that_names_something_else_is_refused(keys: list[str], message: str) -> None:
    space = gymnasium.spaces.Dict(dict.fromkeys(keys, SPACE))
    with pytest.raises(ValueError, match=r"observation space has") as raised:
        declared(space, dict.fromkeys(keys, GOOD))
    assert message in str(raised.value)
    assert str(raised.value).endswith("rename it in a wrapper")


def test_a_space_without_numbers_is_refused_by_its_key() -> None:
    empty = gymnasium.spaces.Box(0, 1, (0,), np.float32)
    space = gymnasium.spaces.Dict({"door": empty, "wall": SPACE})
    with pytest.raises(ValueError, match=r"key 'door'.*holds no numbers; leave it out"):
        declared(space, {"door": np.zeros(0), "wall": GOOD})
