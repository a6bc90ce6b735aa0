"""What the commands share: exit codes, and mistakes told in one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

DONE = 0
RUN_ERROR = 1
BAD_CONFIG = 2
NO_CHECKPOINT = 3
NON_FINITE = 4
SAVED_AFTER_SIGNAL = 75
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser that answers a mistake with one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(fail(f"{message}; see {self.prog} --help", BAD_CONFIG))


def fail(error: object, code: int) -> int:
    """Prints what went wrong as one line, and gives the code back."""
    print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
    return code


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
