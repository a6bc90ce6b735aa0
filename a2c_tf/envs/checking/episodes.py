"""Checks of episodes: where they start and end, and what a seed decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from a2c_tf.envs.checking.findings import Finding, error, first_of, ok, place
from a2c_tf.envs.checking.playing import Stream
from a2c_tf.types import TimeStep


def check_autoreset(streams: Sequence[Stream]) -> Finding:
    """Checks NEXT_STEP autoreset: after an end a first time step, with reward 0 and discount 1."""
    found = first_of((_autoreset_fault(s) for s in streams), ok("autoreset", ""))
    ends = sum(int(np.sum(row.last)) for stream in streams for row in stream.rows[:-1])
    if found.level == "error" or ends:
        return found if found.level == "error" else ok("autoreset", f"{ends} episodes ended")
    return Finding(
        "warning",
        "autoreset",
        "",
        f"no episode ended in {len(streams[0].actions)} steps",
        "if that is meant, set env.max_episode_steps",
    )


def _autoreset_fault(stream: Stream) -> Finding | None:
    first = np.ones(stream.spec.num_envs, bool)
    for t, row in enumerate(stream.rows):
        for name, expected, wrong in (
            ("reward", "0 on the step that starts an episode", first & (row.reward != 0)),
            ("discount", "1 on the step that starts an episode", first & (row.discount != 1)),
            ("last", "false on the step that starts an episode", first & row.last),
            ("discount", "0 only where last is true, else 1", ~_is_legal(row)),
        ):
            if np.any(wrong):
                i = int(np.flatnonzero(wrong)[0])
                value = getattr(row, name)[i]
                return error("autoreset", place(i, t, name), f"is {value}", f"return {expected}")
        first = row.last
    return None


def _is_legal(row: TimeStep) -> np.ndarray:
    return (row.discount == 1) | ((row.discount == 0) & row.last)


def check_step_limit(natural: Stream, limited: Stream, limit: int) -> Finding:
    """Checks that `env.max_episode_steps` truncates episodes, and does not terminate them.

    Args:
      natural: without that setting.
      limited: with it, by the same seed and actions.
      limit: the setting.

    Returns:
      The finding.
    """
    elapsed = np.zeros(limited.spec.num_envs, int)
    for t, row in enumerate(limited.rows[1:], 1):
        elapsed = np.where(limited.rows[t - 1].last, 0, elapsed + 1)
        if np.any(wrong := (elapsed >= limit) & ~row.last):
            return error(
                "step limit",
                place(int(np.flatnonzero(wrong)[0]), t),
                f"env.max_episode_steps={limit} did not end the episode",
                "pass max_episode_steps on to super().__init__",
            )
    if len(natural.rows) > limit < len(limited.rows):
        goes_on, cut = ~natural.rows[limit].last, limited.rows[limit].discount == 0
        if np.any(wrong := goes_on & cut):
            return error(
                "step limit",
                place(int(np.flatnonzero(wrong)[0]), limit, "discount"),
                "is 0 where an episode was only truncated",
                "leave truncation to the step limit: terminated is for the game's own end",
            )
    return ok("step limit", f"env.max_episode_steps={limit} truncates")


def check_seeding(first: Stream, same: Stream, other: Stream, may_be_same: bool) -> Finding:
    """Checks that a seed names a stream.

    Args:
      first: by a seed.
      same: by the same seed and the same actions.
      other: by another seed and the same actions.
      may_be_same: whether the environment declares that nothing in it is random.

    Returns:
      The finding.
    """
    if difference := first_difference(first.rows, same.rows):
        return error(
            "seeding",
            difference,
            "another value by the same seed and actions",
            "draw all that is random from the seed: gymnasium's self.np_random, our noise",
        )
    n = min(len(first.rows), len(other.rows))
    if first_difference(first.rows[:n], other.rows[:n]) or may_be_same:
        return ok("seeding", "same seed, same stream; another seed, another one")
    return Finding(
        "warning",
        "seeding",
        "",
        f"two seeds gave the same {n} time steps",
        "right if nothing in it is random; else draw from the seed of reset",
    )


def first_difference(
    ones: Sequence[TimeStep], others: Sequence[TimeStep], only: slice = slice(None)
) -> str:
    """Returns where two streams differ first; empty where they are the same.

    Args:
      ones: time steps of numpy arrays `[B, ...]`.
      others: the same.
      only: the sub-environments that are compared.

    Returns:
      Sub-environment, step and name.
    """
    for t, (one, other) in enumerate(zip(ones, others, strict=False)):
        for name, a, b in _pairs(one, other):
            differing = (a[only] != b[only]) & ~((a[only] != a[only]) & (b[only] != b[only]))
            if np.any(differing):
                i = int(np.argwhere(differing)[0][0]) + (only.start or 0)
                return place(i, t, name)
    return ""


def _pairs(one: TimeStep, other: TimeStep) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    a, b = one.observation, other.observation
    if isinstance(a, dict):
        yield from ((f"observation {key}", a[key], b[key]) for key in a)
    else:
        yield "observation", a, b
    for name in ("reward", "discount", "last"):
        yield name, getattr(one, name), getattr(other, name)
    if isinstance(one.action_mask, np.ndarray):
        yield "action_mask", one.action_mask, np.asarray(other.action_mask)
