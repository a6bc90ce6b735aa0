"""Parsing, output, error lines and exit codes that the commands share."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, TextIO

from a2c_tf import dependencies, invocation
from a2c_tf.errors import CommandError, ConfigError, ExitCode

BACKEND = "tensorflow"
"""of Keras."""

STDOUT, STDERR = 1, 2
"""file descriptors; a notebook has other streams, which are none."""


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Prints the mistake as one line and exits with BAD_CONFIG."""
        say(f"error: {message}; see {self.prog} --help", sys.stderr)
        self.exit(ExitCode.BAD_CONFIG)


def run_command(body: Callable[[], int]) -> int:
    """Runs the body of a command, and ends what a user can fix with one line.

    Args:
      body: parses, works, prints, and returns the exit code.

    Returns:
      The exit code: of the body, of its CommandError, BAD_CONFIG for a package that is not
      installed, INTERRUPTED after Ctrl-C.
    """
    _prepare_streams()
    invocation.allow_user_modules()
    try:
        return body()
    except (CommandError, ModuleNotFoundError, KeyboardInterrupt) as error:
        return _report(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            say("", stream, end="")  # what argparse wrote may still wait for a reader that is gone


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Ends the process as `run_command` does where a command's module cannot import a package."""
    try:
        yield
    except (ModuleNotFoundError, KeyboardInterrupt) as error:
        sys.exit(_report(error))


def fail(error: CommandError) -> int:
    """Prints the error as one line and returns its exit code."""
    say(f"error: {' '.join(str(error).splitlines())}", sys.stderr)
    return error.exit_code


def say(text: str, stream: TextIO | None, end: str = "\n") -> None:
    """Prints a line at once; where the reader is gone, this and later ones go nowhere.

    Args:
      text: the line.
      stream: where to; None, as Python has it for one that was closed, prints nothing.
      end: follows the text.
    """
    if stream is None:
        return
    try:
        print(text, file=stream, flush=True, end=end)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def drop_closed_terminals() -> None:
    """Sends stdout and stderr nowhere where they are a terminal that was closed."""
    import termios  # not every system has it, nor the signal that this answers

    for descriptor in (STDOUT, STDERR):
        try:
            termios.tcgetattr(descriptor)
        except termios.error as error:
            if error.args[0] == errno.EIO:  # a file or a pipe has another error
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def at_least(least: int) -> Callable[[str], int]:
    """Returns an argument type: whole numbers from `least` on."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"received {text}, expected a whole number >= {least}")
        return number

    return parse


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras without their notes on oneDNN and CUDA.

    The notes are written to the file descriptor before any setting can stop them.

    Raises:
      ConfigError: where Keras was imported with another backend, or a module hides our `export`.
      ModuleNotFoundError: where one of them is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = BACKEND  # before keras.json, and whatever the shell has
    with _silent_stderr():
        importlib.import_module("tensorflow")
        keras = importlib.import_module("keras")
    if (backend := keras.backend.backend()) != BACKEND:
        raise ConfigError(
            f"Keras runs on {backend}, expected {BACKEND}; "
            f"set KERAS_BACKEND={BACKEND} before Keras is imported"
        )
    invocation.import_own("export")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    _open_descriptors()
    if sys.stderr is not None:
        sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _report(error: CommandError | ModuleNotFoundError | KeyboardInterrupt) -> int:
    """Prints the error as one line if it is the user's to fix, and returns the exit code."""
    if isinstance(error, CommandError):
        return fail(error)
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if (text := dependencies.missing(error)) is None:
        raise error
    return fail(ConfigError(text))


def _prepare_streams() -> None:
    """Makes whatever a command prints possible on the streams that it was started with."""
    _open_descriptors()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an ASCII terminal has no ±


def _open_descriptors() -> None:
    """Opens the null device for each standard stream that was closed, as by `2>&-`.

    The next file that is opened would get its number, and with it what libraries write there.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
