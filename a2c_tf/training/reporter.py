"""How a run shows people how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Reporter(NamedTuple):
    """What shows a run to people. By default nothing does, as in a library."""

    say: Callable[[str], None] = lambda text: None
    """shows a text of a line or more."""
    progress: bool = False
    """whether stderr has a progress line."""


QUIET = Reporter()
