"""The `minatar` package as an oracle: its random numbers and its states can be chosen."""

from __future__ import annotations

import minatar
import numpy as np


class _Chosen:
    """Stands for the oracle's `RandomState` and gives the number that it was told."""

    number = 0.0

    def rand(self) -> float:
        return self.number

    def randint(self, high: int) -> int:
        return int(self.number * high)


class ChosenMinAtar:
    """MinAtar's environment with our autoreset, and with sticky actions as MinAtar has them."""

    def __init__(self, name: str) -> None:
        self._random = _Chosen()
        self._game = minatar.Environment(name)
        self._game.random = self._game.env.random = self._random
        self._fresh = True

    @property
    def executed(self) -> int:
        """The action executed last, of MinAtar's six."""
        return self._game.last_action

    def step(self, action: int, start: float, sticky: float) -> tuple[np.ndarray, float, bool]:
        """Observation, reward, terminated; the first step of all resets.

        Args:
          action: of MinAtar's six.
          start: in (0, 1), decides how an episode starts.
          sticky: in (0, 1), decides whether the action before is repeated.
        """
        if self._fresh:
            self._random.number = start
            self._game.reset()
            reward, self._fresh = 0.0, False
        else:
            self._random.number = sticky
            reward, self._fresh = self._game.act(action)
        return self._game.state(), reward, self._fresh


def random_episodes(name: str, episodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns and lengths of a uniformly random policy over all six actions."""
    game, rng = minatar.Environment(name), np.random.default_rng(seed)
    game.seed(seed)
    returns, lengths = np.zeros(episodes), np.zeros(episodes, int)
    for episode in range(episodes):
        game.reset()
        terminated = False
        while not terminated:
            reward, terminated = game.act(int(rng.integers(game.num_actions())))
            returns[episode] += reward
            lengths[episode] += 1
    return returns, lengths
