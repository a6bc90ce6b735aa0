"""Sub-environments that play as many episodes as they are asked for, and then hold still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium

QUOTA = "a2c_tf_quota"
"""the key of `reset`'s options under which the quotas of all sub-environments arrive."""


class EpisodeQuota(gymnasium.Wrapper):
    """Stands still once its quota of episodes is played, as a step of a simulator may be dear.

    It then repeats its last observation, with reward 0, and never ends.

    Args:
      env: the environment.
      index: the number of the sub-environment, from 0.
    """

    def __init__(self, env: gymnasium.Env, index: int) -> None:
        super().__init__(env)
        self._index = index
        self._left: int | None = None
        self._latest: Any = None
        self._started = False

    def reset(
        self, *, options: Mapping[str, Any] | None = None, **settings: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode where the quota has one left; without options the quota stays."""
        others = dict(options or {})
        if options is not None:
            quotas = others.pop(QUOTA, None)
            self._left = None if quotas is None else quotas[self._index]
        if self._stands_still:
            return self._latest, {}
        self._started = True
        # own environments often take no options
        if others:
            settings["options"] = others
        self._latest, info = self.env.reset(**settings)
        return self._latest, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        if self._stands_still:
            return self._latest, 0.0, False, False, {}
        self._latest, reward, terminated, truncated, info = self.env.step(action)
        if self._left is not None and (terminated or truncated):
            self._left -= 1
        return self._latest, reward, terminated, truncated, info

    @property
    def _stands_still(self) -> bool:
        return self._left == 0 and self._started
