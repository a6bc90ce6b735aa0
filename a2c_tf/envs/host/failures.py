"""What an environment on the host raises, told as one line that names the environment."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from a2c_tf.envs.host.validation import BrokenEnvironmentError, NotFiniteError
from a2c_tf.errors import CommandError, ExitCode, NonFiniteError


class HostEnvironmentError(CommandError):
    """An environment raised in `reset` or `step`, or broke its own spaces."""


class LostWorkerError(HostEnvironmentError):
    """A process that an environment lives in is gone."""

    exit_code = ExitCode.LOST_WORKERS


class HostCallError(Exception):
    """An environment's exception, by which it is known among those of TensorFlow."""


def telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose exceptions become HostCallErrors of one line, its own name in front."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:  # the user's code may raise anything
            reason = " ".join(str(error).split())
            raise HostCallError(f"{type(error).__name__}: {reason}") from error

    return call


CUT_OFF = (BrokenPipeError, ConnectionResetError, EOFError)
"""what the pipe to a process raises that has ended."""


@contextlib.contextmanager
def failures_named(env_id: str) -> Iterator[None]:
    """Turns an environment's exception, and what TensorFlow makes of it, into one line.

    Raises:
      NonFiniteError: where the environment gave a number that is not finite.
      LostWorkerError: where the process that it lives in has ended.
      HostEnvironmentError: for everything else that it raised.
      CommandError: for an error of TensorFlow's own.
    """
    try:
        yield
    except HostCallError as error:
        raise _named(env_id, str(error)) from error
    except tf.errors.OpError as error:
        message = str(error.message)
        told = re.search(rf"\b{HostCallError.__name__}: (.*)", message)
        if told:
            raise _named(env_id, told[1]) from None
        # of `envs.ale`, whose environment TensorFlow calls without Python
        if by_ale := re.search(r"Exception during (\w+: .*)", message):
            raise HostEnvironmentError(f"environment {env_id} raised during {by_ale[1]}") from None
        kind, reason = type(error).__name__, " ".join(message.split())
        raise CommandError(f"TensorFlow raised {kind}: {reason}") from error


def _named(env_id: str, told: str) -> CommandError:
    """The error for a HostCallError's text."""
    name, _, reason = (part.strip() for part in told.partition(":"))
    going_on = "go on from the last checkpoint with --resume"
    if name == NotFiniteError.__name__:
        return NonFiniteError(f"environment {env_id}: {reason}; mend it, and {going_on}")
    if name in [kind.__name__ for kind in CUT_OFF]:
        lost = f"a process of its sub-environments has ended ({name})"
        return LostWorkerError(f"environment {env_id}: {lost}; {going_on}")
    raised = reason if name == BrokenEnvironmentError.__name__ else f"raised {name}: {reason}"
    return HostEnvironmentError(f"environment {env_id}: {raised}")
