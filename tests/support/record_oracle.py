"""Records how a random policy fares in the `minatar` package; the tests compare ours with it.

    python tests/support/record_oracle.py

It takes less than a minute on two cores, and writes the same file again unless `minatar` is
another.
"""

from __future__ import annotations

import importlib.metadata
import multiprocessing
from pathlib import Path

import minatar
import numpy as np

RECORD = Path(__file__).with_name("oracle_episodes.npz")
GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
EPISODES = 2000  # of each game
CHAINS = 2  # of episodes in a single environment each, one process for every chain of a game


def play(game: str, chain: int, episodes: int) -> np.ndarray:
    """Returns and lengths of episodes one after the other, `[2, episodes]`.

    The policy chooses among the minimal actions alike. Sticky actions and ramping are MinAtar's
    defaults; the action before an episode can be repeated in its first step.
    """
    environment, rng = minatar.Environment(game), np.random.default_rng(chain)
    environment.seed(chain)
    actions = environment.minimal_action_set()
    outcomes = []
    for _ in range(episodes):
        environment.reset()
        episode_return, length, terminated = 0, 0, False
        while not terminated:
            reward, terminated = environment.act(actions[rng.integers(len(actions))])
            episode_return, length = episode_return + reward, length + 1
        outcomes.append((episode_return, length))
    return np.array(outcomes, np.uint16).T


def record(path: Path) -> None:
    """Writes `<game>` `[2, EPISODES]`, returns and lengths, and the version of `minatar`."""
    chains = [(game, chain, EPISODES // CHAINS) for game in GAMES for chain in range(CHAINS)]
    with multiprocessing.Pool(CHAINS) as pool:
        played = pool.starmap(play, chains, chunksize=1)
    games = {
        game: np.concatenate(played[CHAINS * i : CHAINS * (i + 1)], axis=1)
        for i, game in enumerate(GAMES)
    }
    version = np.array(importlib.metadata.version("minatar"))
    np.savez_compressed(path, minatar_version=version, **games)


if __name__ == "__main__":
    record(RECORD)
