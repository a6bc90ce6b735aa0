"""Mixed precision while training: torsos in bfloat16, weights and all the rest in float32.

Only functions that are traced inside the scope compute so. Evaluation, export and checkpoints know
the network in float32 alone, and its weights are the same variables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import keras


@contextlib.contextmanager
def computing_in_bfloat16(layers: Sequence[keras.layers.Layer]) -> Iterator[None]:
    """Traces what is inside with these layers in bfloat16 (Micikevicius et al., 2018)."""
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = "mixed_bfloat16"
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


@contextlib.contextmanager
def casting_weights_once(layers: Sequence[keras.layers.Layer]) -> Iterator[None]:
    """Casts each weight once for many steps in which none changes."""
    weights = [
        (weight, keras.ops.cast(weight.value, layer.compute_dtype))
        for layer in layers
        for weight in layer.weights
    ]
    with keras.StatelessScope(weights) if weights else contextlib.nullcontext():
        yield
