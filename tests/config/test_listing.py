"""`--list`: what each config is for, and the numbers that the results page has for it."""

from __future__ import annotations

import re

import pytest
from support import ROOT

from a2c_tf import config
from a2c_tf.config import listing

RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
ENTRIES = {entry.name: entry for entry in listing.entries()}


def results() -> dict[str, list[str]]:
    """The rows of the results page by config: environment, steps, score, time, command."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", RESULTS, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in rows}


def test_every_config_is_listed_with_its_environment_and_purpose() -> None:
    assert list(ENTRIES) == config.names()
    for name, entry in ENTRIES.items():
        loaded = config.load(name)
        assert (entry.environment, entry.steps) == (loaded.env.id, loaded.run.total_steps)
        assert entry.purpose and entry.seconds
        assert len(entry.purpose) < 60


@pytest.mark.parametrize("name", results())
def test_score_and_time_are_those_of_the_results_page(name: str) -> None:
    environment, _, score, time, _ = results()[name]
    entry = ENTRIES[name]
    assert entry.environment in environment
    assert entry.score == score
    assert time.endswith(f" to {entry.seconds:.0f} s")


def test_only_what_was_measured_has_a_score() -> None:
    assert {name for name, entry in ENTRIES.items() if entry.score} == set(results())


def test_columns_are_aligned() -> None:
    heading, *lines = listing.table().splitlines()
    for column in ("environment", "score", "what it is for"):
        start = heading.index(column)
        assert all(line[start - 2 : start] == "  " and line[start] != " " for line in lines)
    (cartpole,) = (line for line in lines if line.startswith("cartpole "))
    assert cartpole.split()[1:4] == ["CartPole-v1", "500,000", "0.3"]
    (pong,) = (line for line in lines if line.startswith("pong "))
    assert pong.split()[3:5] == ["117", "-"]
