"""One thread for the whole life of an environment."""

from __future__ import annotations

import asyncio
import threading

import pytest

from a2c_tf.envs.host.environment_thread import EnvironmentThread


def test_all_calls_are_on_one_thread_that_is_not_ours() -> None:
    thread = EnvironmentThread()
    identities = {thread.call(threading.get_ident) for _ in range(5)}
    thread.stop()
    assert len(identities) == 1 and threading.get_ident() not in identities


def test_what_a_call_raises_comes_back() -> None:
    thread = EnvironmentThread()
    with pytest.raises(KeyError, match="door"):
        thread.call({}.__getitem__, "door")
    assert thread.call(int, "7") == 7
    thread.stop()


def test_the_thread_has_an_event_loop_until_it_is_stopped() -> None:
    thread = EnvironmentThread()
    loop = thread.call(asyncio.get_event_loop)
    assert not loop.is_closed()
    thread.stop()
    thread.stop()
    assert loop.is_closed()


def test_an_environment_that_is_forgotten_leaves_no_loop_behind() -> None:
    thread = EnvironmentThread()
    loop = thread.call(asyncio.get_event_loop)
    del thread
    assert loop.is_closed()
