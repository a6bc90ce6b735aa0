"""Signals that ask a run to save and stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from a2c_tf import cli
from a2c_tf.errors import ExitCode

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""what asks a run to stop; not every system has each of them."""

Handler = Callable[[int, FrameType | None], Any] | int


def stopping_signals() -> list[signal.Signals]:
    """Returns the signals that ask a run to stop."""
    known = signal.Signals.__members__
    return [known[name] for name in STOPPING if name in known]


class Interrupt:
    """Lets SIGINT, SIGTERM and SIGHUP ask a run to save and stop; the same one again ends at once.

    The handlers that were in force before come back at the end of its `with` block. Outside of the
    main thread, where Python allows no handlers, it changes none.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._before: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in stopping_signals():
                self._install(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Returns whether a signal has come."""
        return self._received is not None

    @property
    def exit_code(self) -> int:
        """The exit code of a command that the signal ended; 0 where none has come."""
        if self._received is None:
            return ExitCode.DONE
        interrupted = self._received == signal.SIGINT
        return ExitCode.INTERRUPTED if interrupted else ExitCode.SAVED_AFTER_SIGNAL

    def raise_again(self) -> None:
        """Sends the signal that came once more, to the handler that is in force now."""
        if self._received is not None:
            signal.raise_signal(self._received)

    def _install(self, number: signal.Signals) -> None:
        before = signal.getsignal(number)
        if number.name == "SIGHUP" and before == signal.SIG_IGN:
            return  # nohup started this process
        # None: a handler that is not Python's, which cannot be put back
        self._before[number] = signal.SIG_DFL if before is None else before
        signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._received = signal.Signals(number)
        signal.signal(number, signal.SIG_DFL)
        if self._received.name == "SIGHUP":
            cli.drop_closed_terminals()  # else the first word that is written ends the run
