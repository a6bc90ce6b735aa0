"""`act`: an export's own actions, for one observation and for batches, of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.onnx_models import write_export
from support.small_policies import KINDS, Arrays, SmallPolicy, small_policy

from a2c_tf.policies import Policy, load

ROWS = 6


class Loaded:
    """A small policy in NumPy, and the same one loaded from its export."""

    def __init__(self, small: SmallPolicy, folder: Path) -> None:
        self.small = small
        self.policy = load(write_export(folder, small))

    def arguments(self, inputs: Arrays) -> dict[str, Any]:
        """What `act` is called with for these inputs of the graph."""
        observations = {
            name.removeprefix("observation_"): values
            for name, values in inputs.items()
            if name.startswith("observation")
        }
        whole = observations.get("observation", observations)
        mask = inputs.get("action_mask")
        return (
            {"observation": whole} if mask is None else {"observation": whole, "action_mask": mask}
        )

    def fresh(self) -> Policy:
        """The policy at the start of an episode."""
        self.policy.reset()
        return self.policy


@pytest.fixture(scope="module")
def loaded_named(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Loaded]:
    """Returns the policy of a kind, loaded once."""
    known: dict[str, Loaded] = {}

    def loaded_named(name: str) -> Loaded:
        if name not in known:
            known[name] = Loaded(small_policy(name), tmp_path_factory.mktemp(name))
        return known[name]

    return loaded_named


@pytest.fixture(params=KINDS)
def loaded(request: pytest.FixtureRequest, loaded_named: Callable[[str], Loaded]) -> Loaded:
    return loaded_named(request.param)


def beginning(small: SmallPolicy, rows: int) -> Arrays:
    """Inputs at the start of episodes."""
    inputs = small.random_inputs(rows, seed=2)
    if "reset" in inputs:
        inputs["reset"] = np.ones(rows, bool)
    return inputs


def rows_of(inputs: Arrays) -> Iterator[Arrays]:
    for i in range(ROWS):
        yield {name: values[i] for name, values in inputs.items()}


def assert_same_actions(received: np.ndarray, expected: np.ndarray) -> None:
    assert received.dtype == expected.dtype and received.shape == expected.shape
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6)


def test_a_batch_gets_the_actions_of_the_graph(loaded: Loaded) -> None:
    inputs = beginning(loaded.small, ROWS)
    action = loaded.fresh().act(**loaded.arguments(inputs))
    assert_same_actions(action, loaded.small.run(inputs)["action"])


def test_one_observation_gets_one_action(loaded: Loaded) -> None:
    inputs = beginning(loaded.small, ROWS)
    expected = loaded.small.run(inputs)["action"]
    for row, action in zip(rows_of(inputs), expected, strict=True):
        assert_same_actions(np.asarray(loaded.fresh().act(**loaded.arguments(row))), action)


def test_plain_lists_are_taken(loaded: Loaded) -> None:
    inputs = beginning(loaded.small, ROWS)
    arguments = loaded.arguments({name: values.tolist() for name, values in inputs.items()})
    assert_same_actions(loaded.fresh().act(**arguments), loaded.small.run(inputs)["action"])


def test_samples_follow_from_the_seed(loaded: Loaded) -> None:
    arguments = loaded.arguments(beginning(loaded.small, 200))

    def sampled(seed: int | np.random.Generator | None) -> np.ndarray:
        return loaded.fresh().act(**arguments, deterministic=False, seed=seed)

    first = sampled(7)
    np.testing.assert_array_equal(first, sampled(7))
    np.testing.assert_array_equal(first, sampled(np.random.default_rng(7)))
    assert not np.array_equal(first, sampled(8))
    assert not np.array_equal(sampled(None), sampled(None))
    greedy = loaded.fresh().act(**arguments)
    assert first.dtype == greedy.dtype and first.shape == greedy.shape


def test_a_masked_action_is_never_sampled(loaded_named: Callable[[str], Loaded]) -> None:
    loaded = loaded_named("masked")
    inputs = beginning(loaded.small, 500)
    actions = loaded.policy.act(**loaded.arguments(inputs), deterministic=False)
    assert inputs["action_mask"][np.arange(500), actions - 1].all()  # numbered from 1


def steps(small: SmallPolicy, rows: int) -> Iterator[Arrays]:
    """Observations of four steps, with the memory as NumPy has it."""
    state, starts = np.zeros((rows, 3), np.float32), np.ones(rows, bool)
    for step in range(4):
        inputs = small.random_inputs(rows, seed=step)
        inputs |= {"state_in": state, "reset": starts}
        yield inputs
        state, starts = small.run(inputs)["state_out"], np.zeros(rows, bool)


@pytest.mark.parametrize("name", ["recurrent", "everything"])
def test_memory_is_carried_until_it_is_reset(
    loaded_named: Callable[[str], Loaded], name: str
) -> None:
    loaded = loaded_named(name)
    for _ in range(2):  # the second time after reset, with as much remembered before
        policy = loaded.fresh()
        for inputs in steps(loaded.small, ROWS):
            expected = loaded.small.run(inputs)["action"]
            assert_same_actions(policy.act(**loaded.arguments(inputs)), expected)


def test_memory_makes_a_difference(loaded_named: Callable[[str], Loaded]) -> None:
    loaded = loaded_named("recurrent")
    carried, forgotten = [], []
    policy = loaded.fresh()
    for inputs in steps(loaded.small, 50):
        carried.append(policy.act(**loaded.arguments(inputs)))
    for inputs in steps(loaded.small, 50):
        forgotten.append(loaded.fresh().act(**loaded.arguments(inputs)))
    assert not np.array_equal(carried, forgotten)


def test_rows_that_are_reset_alone_forget(loaded_named: Callable[[str], Loaded]) -> None:
    loaded = loaded_named("recurrent")
    first, second, *_ = steps(loaded.small, ROWS)
    second["reset"] = np.arange(ROWS) % 2 == 0
    policy = loaded.fresh()
    policy.act(**loaded.arguments(first))
    policy.reset(second["reset"])
    action = policy.act(**loaded.arguments(second))
    assert_same_actions(action, loaded.small.run(second)["action"])


def test_another_number_of_rows_needs_a_reset(loaded_named: Callable[[str], Loaded]) -> None:
    loaded = loaded_named("recurrent")
    policy = loaded.fresh()
    policy.act(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match=r"received 2 rows; expected 3 as before.*reset\(\)"):
        policy.act(np.zeros((2, 2), np.float32))
    policy.reset([True, False])
    with pytest.raises(ValueError, match=r"received 3 rows"):
        policy.act(np.zeros((3, 2), np.float32))
    policy.reset()
    policy.act(np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "cartpole",
            {"observation": np.zeros(5)},
            r"observation: received shape \[5\]; "
            r"expected float32 of shape \[4\] for one, or \[N, 4\] for a batch",
        ),
        ("cartpole", {"observation": np.zeros((0, 4))}, r"received shape \[0, 4\]"),
        ("cartpole", {"observation": np.zeros((1, 1, 4))}, r"received shape \[1, 1, 4\]"),
        ("cartpole", {"observation": 3.0}, r"received shape \[\]"),
        ("cartpole", {"observation": [[0, 0, 0, 0], [0]]}, "lists of unequal length"),
        ("cartpole", {"observation": ["a"] * 4}, "observation: received <U1; expected float32"),
        ("cartpole", {"observation": None}, "observation: received object"),
        ("cartpole", {"observation": [0, 0, 0, np.nan]}, "holds NaN or infinity"),
        ("cartpole", {"observation": [0, 0, 0, 1e300]}, "holds NaN or infinity"),
        ("cartpole", {"observation": {"a": 1}}, "received object; expected float32"),
        ("cartpole", {"observation": [0] * 4, "action_mask": [True]}, "no such input; leave it"),
        ("cartpole", {"observation": [0] * 4, "deterministic": False, "seed": -1}, "received -1"),
        ("minatar", {"observation": np.full((3, 3, 2), 2)}, "holds a value beyond bool"),
        ("pixels", {"observation": np.zeros((84, 84, 4))}, "received float64; expected uint8"),
        ("pixels", {"observation": np.full((84, 84, 4), 256)}, "holds a value beyond uint8"),
        ("started", {"observation": 0.5}, "received float64; expected int64"),
        ("dict", {"observation": np.zeros(4)}, r"received ndarray; expected a dict of \['goal'"),
        ("dict", {"observation": {"goal": 1}}, r"received keys \['goal'\]; expected a dict"),
        (
            "dict",
            {"observation": {"goal": 1, "it's": [0.0], "camera": np.zeros((3, 3, 2), np.uint8)}},
            r"observation\[\"it's\"\]: received shape \[1\]; expected float32 of shape \[2\]",
        ),
        (
            "dict",
            {"observation": {"goal": [1], "it's": [0, 0], "camera": np.zeros((3, 3, 2), int)}},
            "received one and a batch together",
        ),
        ("masked", {"observation": [0] * 4}, r"action_mask: missing; expected bool of shape \[4\]"),
        ("masked", {"observation": [0] * 4, "action_mask": [False] * 4}, "forbids all values"),
        (
            "masked",
            {"observation": np.zeros((2, 4)), "action_mask": np.ones((3, 4), bool)},
            "action_mask: received 3 rows; expected 2",
        ),
    ],
)
def test_inputs_of_another_kind_are_one_clear_error(
    loaded_named: Callable[[str], Loaded], name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        loaded_named(name).policy.act(**arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1, 2, 3, 4], "int64"), ([0.5, 1, 2, 3], "float64"), ([0.5, 1, 2, 3], "float16")],
)
def test_numbers_that_fit_are_converted(
    loaded_named: Callable[[str], Loaded], values: list[float], dtype: str
) -> None:
    loaded = loaded_named("cartpole")
    expected = loaded.small.run({"observation": np.array([values], np.float32)})["action"][0]
    assert loaded.policy.act(np.array(values, dtype)) == expected


def test_a_policy_without_a_manifest_acts_and_cannot_be_played(tmp_path: Path) -> None:
    folder = write_export(tmp_path, small_policy("cartpole"))
    (folder / "manifest.json").unlink()
    policy = load(folder / "policy.onnx")
    assert policy.act([0, 0, 0, 0]) in (0, 1)
    with pytest.raises(Exception, match=r"no manifest.json, which names its environment"):
        policy.evaluate()
