"""`POST /act`: an observation in, an action out, greedy or sampled."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.errors import InvalidInputError
from serving.json_codec import decode
from serving.policy import Policy
from serving.tensors import Array, TensorSpec, check_batch, decode_row, decode_values, depth_of


class ActRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One observation or a batch of them, as nested lists."""

    observation: msgspec.Raw
    deterministic: bool = True
    seed: int | None = None


class ActAnswer(msgspec.Struct):
    """Scalars for one observation, lists for a batch."""

    action: int | list[int]
    value: float | list[float]
    model_name: str
    model_version: str


_DECODER = msgspec.json.Decoder(ActRequest)
EXPECTED = (
    '{"observation": one or a batch, "deterministic": true, "seed": 7}, the last two optional'
)


def act(policy: Policy, body: bytes) -> bytes:
    """The JSON answer to the JSON request `body`.

    Raises:
      InvalidInputError: for a body that is no request, or an observation of another shape.
    """
    request = decode(body, _DECODER, EXPECTED)
    _check_seed(request.seed)
    batch, is_single = _decode_observation(request.observation, policy.observation)
    output = policy.run(batch)
    action = output.action if request.deterministic else sample(output.logits, request.seed)
    answer = ActAnswer(
        action=_values(action, is_single),
        value=_values(output.value, is_single),
        model_name=policy.name,
        model_version=policy.version,
    )
    return msgspec.json.encode(answer)


def sample(logits: NDArray[np.float32], seed: int | None) -> NDArray[np.integer[Any]]:
    """Actions `[N]` from softmax(`logits` `[N, A]`) by the Gumbel-max trick.

    The same seed gives the same actions; None takes fresh entropy.
    """
    noise = np.random.default_rng(seed).gumbel(size=logits.shape)  # [N, A]
    return np.asarray(np.argmax(logits + noise, axis=-1))


def _check_seed(seed: int | None) -> None:
    if seed is not None and seed < 0:
        raise InvalidInputError(f"seed: received {seed}; expected an integer from 0, or null")


def _decode_observation(text: msgspec.Raw, spec: TensorSpec) -> tuple[Array, bool]:
    """The observations as a batch, and whether it was a single one."""
    observation, rank = bytes(text), len(spec.row_shape)
    depth = depth_of(observation)
    if depth not in (rank, rank + 1):
        raise InvalidInputError(
            f"{spec.name}: received values {depth} lists deep; "
            f"expected {rank} for one observation or {rank + 1} for a batch: {spec}"
        )
    if depth == rank:
        return decode_row(observation, spec), True
    batch = decode_values(observation, depth, spec)
    check_batch(batch, spec)
    return batch, False


def _values(batch: Array, is_single: bool) -> Any:
    return batch[0].item() if is_single else batch.tolist()
