"""Signal handlers: installed for a run, put back after it, and left alone elsewhere."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from a2c_tf.errors import ExitCode
from a2c_tf.training.interrupt import Interrupt, stopping_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict[signal.Signals, Any]]:
    """A handler of the program's own for each signal."""
    received: list[int] = []

    def own(number: int, frame: Any) -> None:
        received.append(number)

    before = {number: signal.signal(number, own) for number in stopping_signals()}
    yield dict.fromkeys(before, own)
    for number, handler in before.items():
        signal.signal(number, handler)


def in_force() -> dict[signal.Signals, Any]:
    return {number: signal.getsignal(number) for number in stopping_signals()}


def test_the_signals_are_those_that_end_a_process() -> None:
    assert {number.name for number in stopping_signals()} == {"SIGINT", "SIGTERM", "SIGHUP"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SIGINT", ExitCode.INTERRUPTED),
        ("SIGTERM", ExitCode.SAVED_AFTER_SIGNAL),
        ("SIGHUP", ExitCode.SAVED_AFTER_SIGNAL),
    ],
)
def test_a_signal_is_kept_and_the_handlers_come_back(
    handlers: dict[signal.Signals, Any], name: str, code: ExitCode
) -> None:
    with Interrupt() as interrupt:
        assert not interrupt() and interrupt.exit_code == 0
        signal.raise_signal(signal.Signals[name])
        assert interrupt() and interrupt.exit_code == code
        assert signal.getsignal(signal.Signals[name]) == signal.SIG_DFL
    assert in_force() == handlers


def test_an_error_puts_the_handlers_back(handlers: dict[signal.Signals, Any]) -> None:
    with pytest.raises(RuntimeError), Interrupt():
        raise RuntimeError
    assert in_force() == handlers


def test_the_signal_is_raised_again_for_the_programs_own_handler() -> None:
    received: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
    assert received == []
    interrupt.raise_again()
    assert received == [signal.SIGINT]


def test_without_a_signal_none_is_raised_again() -> None:
    with Interrupt() as interrupt:
        pass
    interrupt.raise_again()


def test_sighup_stays_ignored_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupt():
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_another_thread_installs_no_handlers(handlers: dict[signal.Signals, Any]) -> None:
    found: list[Any] = []

    def work() -> None:
        with Interrupt() as interrupt:
            found.append((in_force(), interrupt()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(handlers, False)]
