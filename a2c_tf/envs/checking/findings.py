"""What a check found, as one line of text."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

Level = Literal["ok", "skipped", "warning", "error"]
OURS, STANDARD_LIBRARY = Path(__file__).parents[2], Path(sysconfig.get_path("stdlib"))


class Finding(NamedTuple):
    """The outcome of one check."""

    level: Level
    check: str
    """its name, such as `bounds`."""
    where: str
    """sub-environment, step and key, as far as they are known; empty where all is well."""
    what: str
    """was found, or was looked at."""
    to_do: str = ""
    """for the user."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.to_do}" if self.to_do else ""
        return f"{self.level:7}  {self.check:12}  {place}{self.what}{advice}"


def ok(check: str, what: str) -> Finding:
    """Returns that all is well."""
    return Finding("ok", check, "", what)


def skipped(check: str, why: str) -> Finding:
    """Returns that a check says nothing before another one passes."""
    return Finding("skipped", check, "", why)


def error(check: str, where: str, what: str, to_do: str) -> Finding:
    """Returns an error.

    Args:
      check: its name.
      where: sub-environment, step and key.
      what: was found there.
      to_do: for the user.

    Returns:
      The finding.
    """
    return Finding("error", check, where, what, to_do)


def place(i: int, t: int, name: str = "", index: Sequence[int] = ()) -> str:
    """Returns the text for a number that an environment returned.

    Args:
      i: of the sub-environment, from 0.
      t: of the step, 0 for that of the reset.
      name: of the array.
      index: in the array.

    Returns:
      Such as `sub-environment 3, step 17, observation[0]`.
    """
    at = f"[{', '.join(map(str, index))}]" if index else ""
    return f"sub-environment {i}, step {t}{f', {name}' if name else ''}{at}"


def has_error(findings: Iterable[Finding]) -> bool:
    """Returns whether one of the findings is an error."""
    return any(finding.level == "error" for finding in findings)


def first_of(findings: Iterable[Finding | None], otherwise: Finding) -> Finding:
    """Returns the first finding there is, or `otherwise`."""
    return next((finding for finding in findings if finding), otherwise)


def summary(findings: Sequence[Finding], seconds: float) -> str:
    """Returns the numbers of findings by level."""
    counts = {
        level: sum(f.level == level for f in findings) for level in ("ok", "warning", "error")
    }
    left_out = len(findings) - sum(counts.values())
    return (
        f"{counts['ok']} ok, {counts['warning']} warnings, {counts['error']} errors"
        f"{f', {left_out} skipped' if left_out else ''}, {seconds:.1f} s"
    )


def raised(check: str, doing: str, error: Exception) -> Finding:
    """Returns the finding of an exception of the environment's own.

    Args:
      check: during which it was raised.
      doing: what was called.
      error: the exception.

    Returns:
      The finding, which names the line of the user's file.
    """
    text = " ".join(str(getattr(error, "message", error)).split())
    text = text if len(text) <= 300 else f"{text[:300]} ..."
    return Finding("error", check, line_of(error), f"{doing} raised {type(error).__name__}: {text}")


def line_of(error: BaseException) -> str:
    """Returns the innermost line of the user's code, in what caused the error first of all."""
    chain = [error]
    while chain[-1].__cause__:
        chain.append(chain[-1].__cause__)
    frames = [frame for e in chain for frame in traceback.extract_tb(e.__traceback__)]
    users = [frame for frame in frames if _is_users(Path(frame.filename))]
    return f"{Path(users[-1].filename).name}, line {users[-1].lineno}" if users else ""


def _is_users(file: Path) -> bool:
    is_library = "site-packages" in file.parts or {OURS, STANDARD_LIBRARY} & {*file.parents}
    return file.is_file() and not is_library
