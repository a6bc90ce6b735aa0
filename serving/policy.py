"""A policy: an ONNX graph from a batch of observations to actions and what they follow from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from serving.errors import InvalidInputError, ModelError
from serving.inputs import ACTION_MASK, Inputs, placeholder
from serving.sampling import (
    ActionDistribution,
    Continuous,
    choices_of,
    fits,
    plain_categorical,
)
from serving.signature import input_specs, output_names, output_specs
from serving.tensors import Array, signature


class Policy:
    """An ONNX policy, ready to run.

    Args:
      name: under which it is served.
      model: content of `policy.onnx`.
      distribution: of its actions, as its manifest says; None: there is no manifest.

    Attributes:
      inputs: the spec of each, by name.
      outputs: the spec of each, by name, in the order of publication.
      distribution: None where actions cannot be sampled.
      choices: number of choices of each component of a masked action.

    Raises:
      ModelError: for bytes that are no model, a model with other inputs and outputs than a
        policy's, or one whose actions have another distribution.
    """

    def __init__(
        self, name: str, model: bytes, distribution: ActionDistribution | None = None
    ) -> None:
        self.name = name
        self.version = "1"
        self._session = _open_session(model)
        self.inputs = input_specs(self._session.get_inputs())
        self._names = output_names(self._session.get_outputs(), self.inputs)
        outputs = self._warm_up()
        self.outputs = output_specs(outputs, self.inputs)
        if distribution and not fits(distribution, self.outputs):
            raise ModelError(
                f"its manifest says that actions are {type(distribution).__name__}, but the "
                f"outputs {', '.join(map(signature, self.outputs.values()))} are of other types "
                "or sizes; export the run again"
            )
        self.distribution = distribution or plain_categorical(outputs)
        self.choices = self._masked_choices(outputs)

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Returns every output for `inputs` `[N, ...]`; may be called from any thread.

        Raises:
          InvalidInputError: for values that the graph refuses, or a non-finite output.
        """
        try:
            values = self._session.run(self._names, inputs)
        except InvalidArgument as error:  # an index beyond a table, for instance
            raise InvalidInputError(f"the policy refuses these values: {error}") from None
        outputs: dict[str, Array] = dict(zip(self._names, values, strict=True))
        check_finite(outputs, self.inputs)
        return outputs

    def _warm_up(self) -> dict[str, Array]:
        """Runs two rows, since a graph need not declare its output shapes and the first is slow."""
        try:
            return self.run({name: placeholder(spec, 2) for name, spec in self.inputs.items()})
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise ModelError(f"the model cannot run a batch of 2 zeros: {error}") from None

    def _masked_choices(self, outputs: dict[str, Array]) -> tuple[int, ...]:
        if ACTION_MASK not in self.inputs:
            return ()
        (width,) = self.inputs[ACTION_MASK].row_shape
        if self.distribution is None:
            return (width,)  # all that is known is that something must be allowed
        if isinstance(self.distribution, Continuous):
            choices: tuple[int, ...] = ()
        else:
            scores = choices_of(self.distribution, outputs["logits"]).scores
            choices = tuple(score.shape[1] for score in scores)
        if sum(choices) != width:
            raise ModelError(
                f"input {ACTION_MASK} has {width} values a row, expected {sum(choices)}: "
                "one for each choice; export the run again"
            )
        return choices


def check_finite(outputs: Mapping[str, Array], inputs: Iterable[str]) -> None:
    """Asserts that outputs are finite.

    Args:
      outputs: by name.
      inputs: names of what they follow from.

    Raises:
      InvalidInputError: where one is not.
    """
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidInputError(
                f"{', '.join(inputs)}: the policy outputs non-finite numbers as {name}; "
                "expected values as large as in training"
            )


def _open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # requests run side by side, so threads inside one of them would only get in each other's way
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # every error is raised, too
    try:
        return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise ModelError(f"not an ONNX model that onnxruntime can open: {error}") from None
