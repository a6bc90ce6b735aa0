"""The configs that come with the package, as `--list` prints them."""

from __future__ import annotations

import re
from typing import NamedTuple

from a2c_tf.config.loading import find, load, names

HEADINGS = (
    "config",
    "environment",
    "steps",
    "minutes",
    "score of 5 seeds (range)",
    "what it is for",
)


class Entry(NamedTuple):
    """One config that comes with the package."""

    name: str
    environment: str
    steps: int
    seconds: float | None
    """of a whole run on two cores; None: not measured."""
    score: str
    """mean of five seeds, lowest and highest; empty where it was not measured."""
    purpose: str


def entries() -> list[Entry]:
    """Returns every config; purpose, score and time are those that the file's header names."""
    return [_entry(name) for name in names()]


def table() -> str:
    """Returns the configs as lines of aligned columns."""
    rows = [HEADINGS, *(_row(entry) for entry in entries())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = (2, 3)  # numbers
    lines = (
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _entry(name: str) -> Entry:
    header = re.match(r"(?:#.*\n)*", find(name).read_text(encoding="utf-8"))
    lines = [line.lstrip("# ") for line in (header[0] if header else "").splitlines()]
    facts = dict(line.split(": ", 1) for line in lines if line.startswith(("score: ", "time: ")))
    seconds = re.findall(r"\d+", facts.get("time", ""))
    config = load(name)
    return Entry(
        name,
        config.env.id,
        config.run.total_steps,
        float(seconds[-1]) if seconds else None,
        facts.get("score", ""),
        lines[0].rstrip(".") if lines else "",
    )


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.name,
        entry.environment,
        f"{entry.steps:,}",
        "-" if entry.seconds is None else _minutes(entry.seconds / 60),
        entry.score or "-",
        entry.purpose,
    )


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"
