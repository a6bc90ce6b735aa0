"""Action masks of an environment, wherever it gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from a2c_tf.envs.host.validation import ContractError

MASK = "action_mask"
"""the key in `info`, as gymnasium's own environments have it, or in a Dict observation."""
METHOD = "action_masks"
"""the method, as in sb3-contrib's MaskablePPO."""


class MaskFromObservation(gymnasium.ObservationWrapper):
    """Takes the key `action_mask` out of Dict observations; of one other key, that alone is left.

    PettingZoo and RLlib observe `{"observation": ..., "action_mask": ...}`.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, gymnasium.spaces.Dict)
        others = {key: part for key, part in space.items() if key != MASK}
        self._only = next(iter(others)) if len(others) == 1 else None
        self._observed: Any = None
        self.observation_space = (
            gymnasium.spaces.Dict(others) if self._only is None else others[self._only]
        )

    def observation(self, observation: Mapping[str, Any]) -> Any:
        self._observed = observation[MASK]
        if self._only is not None:
            return observation[self._only]
        return {key: value for key, value in observation.items() if key != MASK}

    def action_masks(self) -> Any:
        """Returns the mask of the latest observation."""
        return self._observed


class InfoFilter(gymnasium.Wrapper):
    """Leaves in `info` the action mask, as `[M]` bool, and nothing else but the keys asked for.

    gymnasium merges the infos of all sub-environments into arrays, which ends the run where they
    hold what does not fit together, used or not.

    Args:
      env: the environment.
      keys: further keys that are kept, for those who read them.

    Raises:
      ContractError: from `reset` and `step`, for a mask that the first reset did not have, or of
        another size.
    """

    def __init__(self, env: gymnasium.Env, keys: tuple[str, ...] = ()) -> None:
        super().__init__(env)
        self._keys = keys
        self._size: int | None = None
        """of the masks, as the first reset shows it; 0: there are none."""
        has_method = env.has_wrapper_attr(METHOD) and callable(env.get_wrapper_attr(METHOD))
        self._method: Callable[[], Any] | None = (
            env.get_wrapper_attr(METHOD) if has_method else None
        )

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**options)
        mask = self._mask(info)
        if self._size is None:
            self._size = 0 if mask is None else mask.size
        return observation, self._filtered(info, mask)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        mask = self._mask(info)
        return observation, reward, terminated, truncated, self._filtered(info, mask)

    def _mask(self, info: Mapping[str, Any]) -> np.ndarray | None:
        mask = self._method() if self._method else info.get(MASK)
        return None if mask is None else flat_mask(mask)

    def _filtered(self, info: Mapping[str, Any], mask: np.ndarray | None) -> dict[str, Any]:
        kept = {key: info[key] for key in self._keys if key in info}
        if mask is None:
            return kept
        if self._size == 0:
            raise ContractError(
                f'has info["{MASK}"], but reset had none; expected one from reset, too, '
                f"or a method {METHOD}()"
            )
        if mask.size != self._size:
            raise ContractError(
                f"{MASK} holds {mask.size} booleans; expected {self._size}, as at the first reset"
            )
        return {**kept, MASK: mask}


def with_masks(env: gymnasium.Env, keys: tuple[str, ...] = ()) -> gymnasium.Env:
    """Returns the environment with its action masks in `info`, wherever it gives them.

    Args:
      env: gives masks by `info["action_mask"]`, by a method `action_masks()`, or by the key
        `action_mask` of a Dict observation; or has none.
      keys: of `info` that are kept, too.

    Returns:
      The environment, whose `info` holds `action_mask` as `[M]` bool, and those keys.
    """
    space = env.observation_space
    if isinstance(space, gymnasium.spaces.Dict) and MASK in space.spaces and len(space) > 1:
        env = MaskFromObservation(env)
    return InfoFilter(env, keys)


def flat_mask(mask: Any) -> np.ndarray:
    """Returns a mask as `[M]` bool: of a list, an array, or a tuple with an array each choice."""
    if isinstance(mask, tuple | list):
        return np.concatenate([np.ravel(part) for part in mask]).astype(bool)
    return np.ravel(mask).astype(bool)
