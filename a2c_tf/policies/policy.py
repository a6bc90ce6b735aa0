"""A trained policy: observations in, actions out, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from a2c_tf import cli
from a2c_tf.errors import ConfigError
from a2c_tf.policies.inputs import InputReader
from a2c_tf.policies.scores import Scores
from serving.errors import InvalidInputError
from serving.inputs import RESET, STATE, Inputs
from serving.sampling import ActionDistribution, sample
from serving.signature import ACTION, NEW_STATE
from serving.tensors import Array, TensorSpec


class Model(Protocol):
    """Computes a policy's outputs for batches: an exported graph, or a network."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The spec of each input, by name."""

    @property
    def distribution(self) -> ActionDistribution | None:
        """That of the actions; None where they cannot be sampled."""

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of choices of each component of a masked action."""

    def run(self, inputs: Inputs) -> Mapping[str, Array]:
        """Returns every output by name, for inputs `[N, ...]`."""
        ...


class Policy:
    """Chooses actions. `a2c_tf.load` makes one.

    A policy with memory keeps its state from one call of `act` to the next: `reset` starts a new
    episode. Such a policy is not for several threads, nor for several streams of episodes at once.

    Args:
      model: computes the outputs.
      manifest: what `manifest.json` says of it; None: unknown.

    Attributes:
      manifest: the same.
    """

    def __init__(self, model: Model, manifest: Mapping[str, Any] | None) -> None:
        self.manifest = manifest
        self._model = model
        space = manifest.get("observation_space") if manifest else None
        self._reader = InputReader(model.inputs, model.choices, space)
        self._rng = np.random.default_rng()
        self._state: Array | None = None
        self._starts: NDArray[np.bool_] | None = None

    def act(
        self,
        observation: ArrayLike | Mapping[str, ArrayLike],
        deterministic: bool = True,
        seed: int | np.random.Generator | None = None,
        action_mask: ArrayLike | None = None,
    ) -> Any:
        """Returns the action for one observation `[*obs]`, or actions `[N, ...]` for a batch.

        Args:
          observation: in the environment's own dtype, or numbers that fit it; for a Dict space an
            array for each key.
          deterministic: the most likely action; False samples one.
          seed: of the sample; the same seed samples the same action. A NumPy generator is drawn
            from; None draws from the policy's own.
          action_mask: bool `[M]` or `[N, M]`, true where allowed, if the environment has one.

        Returns:
          A NumPy scalar or array, in the environment's own units.

        Raises:
          ValueError: for inputs that the policy does not take, named in one line.
        """
        inputs, is_single = self._reader.read(observation, action_mask)
        if STATE in self._model.inputs:
            inputs |= self._memory(len(next(iter(inputs.values()))))
        outputs = self._model.run(inputs)
        action = outputs[ACTION] if deterministic else self._sample(outputs, seed)
        if NEW_STATE in outputs:
            self._state, self._starts = outputs[NEW_STATE], None
        return action[0] if is_single else action

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Starts new episodes, before which a policy with memory remembers nothing.

        Args:
          rows: bool `[N]`, those of a batch whose episodes begin; None: all of them, and a batch of
            another size may follow.
        """
        if rows is None:
            self._state = self._starts = None
        else:
            self._starts = np.asarray(rows, bool)

    def evaluate(self, episodes: int = 100, seed: int = 0) -> Scores:
        """Plays episodes as `act` does, on new environments of the kind that it was trained on.

        It needs TensorFlow, and the environment's package.

        Args:
          episodes: how many with greedy actions, and how many with sampled ones.
          seed: of environments and actions.

        Returns:
          The scores of both.

        Raises:
          ConfigError: where the environment is unknown or cannot be made.
          CommandError: for what an environment raises.
        """
        if self.manifest is None:
            raise ConfigError(
                "this policy has no manifest.json, which names its environment; "
                "load the folder that export wrote"
            )
        cli.import_tensorflow()
        from a2c_tf.policies.scoring import play_both

        # with a memory of its own
        return play_both(Policy(self._model, self.manifest), self.manifest, episodes, seed)

    def _sample(
        self, outputs: Mapping[str, Array], seed: int | np.random.Generator | None
    ) -> Array:
        if self._model.distribution is None:
            raise InvalidInputError(
                "deterministic: received False; expected True, since sampling this policy needs "
                "its manifest.json, and there is none beside the model"
            )
        if isinstance(seed, int) and seed < 0:
            raise InvalidInputError(f"seed: received {seed}; expected an integer from 0, or None")
        return sample(self._model.distribution, outputs, self._rng if seed is None else seed)

    def _memory(self, rows: int) -> Inputs:
        """Returns the inputs of a recurrent policy beside the observation."""
        spec = self._model.inputs[STATE]
        if self._state is None:
            state, starts = np.zeros((rows, *spec.row_shape), spec.dtype), np.ones(rows, bool)
        else:
            state, starts = self._state, np.zeros(rows, bool)
        if self._starts is not None:
            starts = starts | self._starts if len(self._starts) == rows else self._starts
        if len(state) != rows or len(starts) != rows:
            raise InvalidInputError(
                f"observation: received {rows} rows; expected {len(state)} as before, and as many "
                f"in reset(rows); call reset() to start with another number"
            )
        return {STATE: state, RESET: starts}
