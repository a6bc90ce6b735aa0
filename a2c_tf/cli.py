"""What the commands share: exit codes, and mistakes told in one line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

DONE = 0
RUN_ERROR = 1
BAD_CONFIG = 2
NO_CHECKPOINT = 3
NON_FINITE = 4
LOST_WORKERS = 5
SAVED_AFTER_SIGNAL = 75
INTERRUPTED = 130


class CommandError(Exception):
    """What ends a command with one line for the user; its text is that line."""

    exit_code = RUN_ERROR


class NonFiniteError(CommandError):
    """Numbers that are not finite; none of them reaches weights that are saved."""

    exit_code = NON_FINITE


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        self.exit(BAD_CONFIG)


def fail(error: CommandError) -> int:
    """Prints the error as one line, and gives its exit code back."""
    print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
    return error.exit_code


def say(text: str, stream: TextIO) -> None:
    """Prints a line at once; where nobody reads any more, this and later ones go nowhere."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def at_least(least: int) -> Callable[[str], int]:
    """An argument type: whole numbers from `least` on."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"received {text}, expected a whole number >= {least}")
        return number

    return parse
