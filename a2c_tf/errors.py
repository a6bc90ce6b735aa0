"""Errors that end a command with one line for the user, and the exit codes of commands."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a command returns to the shell."""

    DONE = 0
    RUN_ERROR = 1
    BAD_CONFIG = 2
    NO_CHECKPOINT = 3
    NON_FINITE = 4
    LOST_WORKERS = 5
    SAVED_AFTER_SIGNAL = 75
    INTERRUPTED = 130


class CommandError(Exception):
    """Ends a command; its text is the one line that the user reads."""

    exit_code = ExitCode.RUN_ERROR


class ConfigError(CommandError):
    """A setting is invalid, or settings do not fit each other."""

    exit_code = ExitCode.BAD_CONFIG


class NonFiniteError(CommandError):
    """A number is not finite; it never reaches weights that are saved."""

    exit_code = ExitCode.NON_FINITE
