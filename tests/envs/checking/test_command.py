"""`python -m a2c_tf.envs check ID`: a line for each check, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.flawed_games import OutOfBounds, Unsupported

from a2c_tf.envs import registration
from a2c_tf.envs.checking.findings import Finding, summary

Command = Callable[..., Any]
ENVS = "a2c_tf.envs.__main__"


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    registration.unregister("Flawed-v0")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["Catch-v0"], ["CartPole-v1", "env.backend=gymnasium"]])
def test_an_environment_without_faults_ends_with_0(arguments: list[str], command: Command) -> None:
    outcome = command(ENVS, "check", *arguments, "env.num_envs=3")
    *lines, last = outcome.out.splitlines()
    assert (outcome.code, len(lines)) == (0, 11 if "CartPole-v1" in arguments else 15)
    assert all(line.startswith("ok ") for line in lines)
    assert last.startswith(f"{len(lines)} ok, 0 warnings, 0 errors, ")


@pytest.mark.slow
def test_an_error_ends_with_1(command: Command) -> None:
    registration.register("Flawed-v0", OutOfBounds)
    outcome = command(ENVS, "check", "Flawed-v0", "env.num_envs=3")
    assert outcome.code == 1
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("error ")]
    assert "observation[" in line and "correct the value, or declare a wider space" in line


def test_a_space_that_is_not_supported_ends_with_1(command: Command) -> None:
    registration.register("Flawed-v0", Unsupported)
    outcome = command(ENVS, "check", "Flawed-v0")
    assert outcome.code == 1
    assert "expected Discrete, MultiDiscrete, MultiBinary or a Box of floats" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "required: ID"),
        (["Nope-v0"], "env.id=Nope-v0: "),
        (["CartPole"], "did you mean CartPole-v1?"),
        (["no_such_module:Nope-v0"], "expected no_such_module.py in the working directory"),
        (["Catch-v0", "env.num_env=3"], "did you mean env.num_envs?"),
        (["Catch-v0", "env.difficulty_ramping=true"], "Catch-v0 has no such setting"),
        (["Catch-v0", "--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_a_mistake_is_one_line_and_ends_with_2(
    arguments: list[str], expected: str, command: Command
) -> None:
    outcome = command(ENVS, "check", *arguments)
    assert outcome.code == 2
    assert expected in outcome.mistake


def test_a_finding_is_a_line() -> None:
    finding = Finding("error", "bounds", "sub-environment 3, step 17", "2 is too much", "return 1")
    text = "error    bounds        sub-environment 3, step 17: 2 is too much; return 1"
    assert str(finding) == text
    assert str(Finding("ok", "finite", "", "no NaN")) == "ok       finite        no NaN"
    skipped = Finding("skipped", "modes", "", "needs purity")
    assert summary([finding, skipped], 1.25) == "0 ok, 0 warnings, 1 errors, 1 skipped, 1.2 s"
