"""Recurrent cores: the memory of a policy from one step to the next."""

from __future__ import annotations

import keras

from a2c_tf.config import NetworkConfig
from a2c_tf.networks.torsos import DTYPE, Initializers

GAIN = 1.0


def make_core(widths: list[int], config: NetworkConfig, initializers: Initializers) -> keras.Model:
    """Builds the model [features of each stream, core_state] -> [features, ..., core_state].

    Args:
      widths: of the features of each stream: one torso, or policy and value torso.
      config: LSTM or GRU (Hochreiter and Schmidhuber, 1997; Cho et al., 2014), and how wide.
      initializers: kernels are orthogonal with gain 1, biases 0, as in OpenAI baselines.

    Returns:
      A model whose state `[B, S]` holds everything that the cells remember, side by side.
    """
    cells = [_cell(config, initializers, f"core_{i}") for i in range(len(widths))]
    parts = [width for cell in cells for width in _state_sizes(cell)]
    features = [keras.Input((width,), dtype=DTYPE) for width in widths]
    core_state = keras.Input((sum(parts),), name="core_state", dtype=DTYPE)
    remembered = _split(core_state, parts)
    outputs, states = [], []
    for cell, x in zip(cells, features, strict=True):
        state = [remembered.pop(0) for _ in _state_sizes(cell)]
        output, after = cell(x, state)
        outputs.append(output)
        states += after
    # [B, size] of each state -> [B, S]
    joined = keras.ops.concatenate(states, axis=-1) if len(states) > 1 else states[0]
    return keras.Model([*features, core_state], [*outputs, joined], name="core")


def _cell(config: NetworkConfig, initializers: Initializers, name: str) -> keras.layers.Layer:
    settings = {
        "kernel_initializer": initializers(GAIN),
        "recurrent_initializer": initializers(GAIN),
        "name": name,
        "dtype": DTYPE,
    }
    if config.core == "lstm":
        return keras.layers.LSTMCell(config.core_size, unit_forget_bias=False, **settings)
    return keras.layers.GRUCell(config.core_size, **settings)


def _state_sizes(cell: keras.layers.Layer) -> list[int]:
    """Returns the sizes of hidden state and memory of an LSTM, of the one state of a GRU."""
    return list(cell.state_size) if isinstance(cell.state_size, list) else [cell.state_size]


def _split(x: keras.KerasTensor, sizes: list[int]) -> list[keras.KerasTensor]:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [x[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
