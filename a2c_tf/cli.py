"""Parsing, output and error lines that the commands share."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

from a2c_tf.errors import CommandError, ExitCode

STDOUT, STDERR = 1, 2
"""file descriptors; a notebook has other streams, which are none."""


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Prints the mistake as one line and exits with BAD_CONFIG."""
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        self.exit(ExitCode.BAD_CONFIG)


def fail(error: CommandError) -> int:
    """Prints the error as one line and returns its exit code."""
    print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
    return error.exit_code


def say(text: str, stream: TextIO) -> None:
    """Prints a line at once; where the reader is gone, this and later ones go nowhere."""
    try:
        print(text, file=stream, flush=True)
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
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
