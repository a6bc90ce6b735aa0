"""What gymnasium's own checker says of an environment on the host."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import closing

import gymnasium
from gymnasium.utils.env_checker import check_env

from a2c_tf.envs.checking.findings import Finding, ok


def check_by_gymnasium(env_id: str) -> Iterator[Finding]:
    """Yields what `gymnasium.utils.env_checker.check_env` warns of and raises, for one of it."""
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with closing(gymnasium.make(env_id, disable_env_checker=True)) as env:
            try:
                check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)
            except Exception as error:  # an assertion, or the environment's own
                found.append(Finding("error", "gymnasium", "", _text(error)))
    for text in dict.fromkeys(_text(warning.message) for warning in caught):
        found.append(Finding("warning", "gymnasium", "", text))
    yield from found or [ok("gymnasium", "its check_env finds nothing")]


def _text(message: object) -> str:
    """Returns a message without colours and line breaks."""
    plain = re.sub(r"\x1b\[\d+m", "", str(message)).removeprefix("WARN: ")
    return " ".join(plain.split())
