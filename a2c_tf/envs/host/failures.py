"""What an environment on the host raises, as one line that names the environment."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from a2c_tf.envs.base import Environment
from a2c_tf.envs.host.validation import BrokenEnvironmentError
from a2c_tf.errors import CommandError, ExitCode, NonFiniteError

CUT_OFF = (BrokenPipeError, ConnectionResetError, EOFError)
"""what the pipe to a process raises that has ended."""


class HostEnvironmentError(CommandError):
    """An environment raised in `reset` or `step`, or broke its own spaces."""


class LostWorkerError(HostEnvironmentError):
    """A process that an environment lives in is gone."""

    exit_code = ExitCode.LOST_WORKERS


class FailureRecorder:
    """Keeps what host code raised, of which TensorFlow reports nothing but text.

    Args:
      env_id: names the environment in errors.
    """

    def __init__(self, env_id: str) -> None:
        self._env_id = env_id
        self.failure: CommandError | None = None

    def recorded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns `function` with errors for the user, each kept as `failure`, too."""

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Exception as error:  # the user's code may raise anything
                self.failure = _command_error(self._env_id, error)
                raise self.failure from error

        return call

    def take_failure(self, error: tf.errors.OpError) -> CommandError | None:
        """Returns the failure that TensorFlow reports as `error`, once; None where it is another's.

        An environment whose host code raises through TensorFlow alone makes it of `error`.
        """
        failure, self.failure = self.failure, None
        return failure


@contextlib.contextmanager
def report_errors(*envs: Environment) -> Iterator[None]:
    """Raises the error of the environment that failed in place of what TensorFlow made of it.

    Args:
      envs: the environments that are stepped inside.

    Raises:
      NonFiniteError: where an environment returned a number that is not finite.
      LostWorkerError: where the process that it lives in has ended.
      HostEnvironmentError: for everything else that it raised.
      CommandError: for an error of TensorFlow's own.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for env in envs:
            failure = env.take_failure(error) if isinstance(env, FailureRecorder) else None
            if failure:
                raise failure from failure.__cause__
        raise CommandError(f"TensorFlow raised {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Returns an exception's class and message without line breaks."""
    message = error.message if isinstance(error, tf.errors.OpError) else error
    return f"{type(error).__name__}: {' '.join(str(message).split())}"


def _command_error(env_id: str, error: Exception) -> CommandError:
    """Returns the error that the user reads for an exception of the environment."""
    if isinstance(error, NonFiniteError):
        return NonFiniteError(
            f"environment {env_id}: {error}; fix this, then resume with --resume from the last "
            "checkpoint"
        )
    if isinstance(error, CUT_OFF):
        return LostWorkerError(
            f"environment {env_id}: a process of its sub-environments has ended "
            f"({type(error).__name__}); resume from the last checkpoint with --resume"
        )
    reason = (
        str(error) if isinstance(error, BrokenEnvironmentError) else f"raised {one_line(error)}"
    )
    return HostEnvironmentError(f"environment {env_id}: {reason}")
