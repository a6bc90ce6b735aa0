"""`make check` starts no process and trains no agent: what does is marked, or fails."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest
from support import ROOT

from a2c_tf.training.trainer import Trainer

CHECK = ["process", "training", "slow"]
"""Marks whose tests `make check` leaves out."""


def test_check_leaves_out_what_is_marked() -> None:
    expression = " and ".join(f"not {mark}" for mark in CHECK)
    assert f'-m "{expression}"' in (ROOT / "Makefile").read_text("utf-8")


def test_no_process_starts_without_the_mark() -> None:
    with pytest.raises(pytest.fail.Exception, match="mark this test process"):
        subprocess.run([sys.executable, "-c", ""])
    for method in ("spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process()
        with pytest.raises(pytest.fail.Exception, match="mark this test process"):
            process.start()


def test_no_agent_trains_without_the_mark() -> None:
    with pytest.raises(pytest.fail.Exception, match="mark this test training"):
        Trainer.train(None, None, None)  # type: ignore[arg-type]


@pytest.mark.process
def test_a_process_starts_with_the_mark() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.parametrize("variant", ["eager", "xla"], indirect=True)
def test_marks_follow_from_what_a_test_uses(
    request: pytest.FixtureRequest, variant: object
) -> None:
    marked = {mark.name for mark in request.node.iter_markers()} & set(CHECK)
    assert marked == ({"slow"} if request.node.callspec.params["variant"] == "xla" else set())


def test_marks_follow_through_other_fixtures(
    request: pytest.FixtureRequest, process: object
) -> None:
    assert request.node.get_closest_marker("process")
