"""The network's pass while acting, used again for the gradient in place of a second one.

Exact for A2C, which updates once an unroll under the weights that acted. What convolutions and
dense layers gave is kept; going back, each layer's gradient follows from its input, its output and
its kernel. A pass that is made anew takes the same way back, under XLA faster than TensorFlow's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

Outputs = dict[str, tf.Tensor]
Operation = Callable[..., tf.Tensor]

SLOPES: dict[Callable[..., Any], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    keras.activations.linear: lambda y, dy: dy,
    keras.activations.relu: lambda y, dy: tf.raw_ops.ReluGrad(gradients=dy, features=y),
    keras.activations.tanh: lambda y, dy: tf.raw_ops.TanhGrad(y=y, dy=dy),
}
"""(output, gradient by it) -> gradient by what the activation was given, where y tells it."""


NARROW = 4
"""units of a layer whose gradient is faster in sums under XLA."""
WIDE = 256
"""units of a layer whose kernel oneDNN is slow to transpose, next to a product of few rows."""


def is_possible(model: keras.Model) -> bool:
    """Whether every layer with weights is one whose gradient follows from what is kept."""
    return all(_is_known(layer) for layer in model.layers if layer.trainable_weights)


def act(model: keras.Model, observation: Any) -> tuple[Outputs, list[tf.Tensor]]:
    """What the network says of `[B, *obs]`, and what is to be kept, each leading with `[B]`."""
    kept: list[tf.Tensor] = []

    def keeping(operation: Operation) -> Operation:
        def call(x: tf.Tensor) -> tf.Tensor:
            kept.append(operation(x))
            return kept[-1]

        return call if _is_kept(operation) else operation

    return _run(model, observation, keeping), kept


def learn(model: keras.Model, observation: Any, kept: Sequence[tf.Tensor] = ()) -> Outputs:
    """The same numbers from what was kept, `[N, ...]`, and the gradient of the pass they are of.

    Where nothing was kept the pass is made anew, with the gradient as here.
    """
    remaining = iter(kept) if kept else itertools.repeat(None)

    def again(operation: Operation) -> Operation:
        return _Again(operation, next(remaining)) if _is_kept(operation) else operation

    return _run(model, observation, again)


class _Again:
    """A layer whose output is known, or to be computed again."""

    def __init__(self, layer: keras.layers.Layer, y: tf.Tensor | None) -> None:
        self._layer, self._y = layer, y

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        layer = self._layer
        y = layer(x) if self._y is None else self._y
        backward = self._backward()

        @tf.custom_gradient
        def known(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> Any:
            def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
                dz = SLOPES[layer.activation](y, dy)
                dx, d_kernel = backward(layer, x, kernel, dz)
                return dx, d_kernel, tf.reduce_sum(dz, axis=list(range(dz.shape.rank - 1)))

            return tf.identity(y), gradient

        weights = (tf.convert_to_tensor(weight) for weight in (layer.kernel, layer.bias))
        return known(*(tf.cast(tensor, y.dtype) for tensor in (x, *weights)))

    def _backward(self) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
        if isinstance(self._layer, keras.layers.Conv2D):
            return _through_convolution
        anew = self._y is None
        return _through_narrow if anew and 1 < self._layer.units <= NARROW else _through_dense


def _through_dense(
    layer: keras.layers.Dense, x: tf.Tensor, kernel: tf.Tensor, dz: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    rows, slopes = (tf.reshape(tensor, [-1, tensor.shape[-1]]) for tensor in (x, dz))
    return _slopes_before(kernel, dz), tf.matmul(rows, slopes, transpose_a=True)


def _slopes_before(kernel: tf.Tensor, dz: tf.Tensor) -> tf.Tensor:
    """`dz W^T`; of few rows and many units as `(W dz^T)^T`, which oneDNN does on all cores."""
    rows, units = dz.shape[0], kernel.shape[-1]
    if dz.shape.rank == 2 and rows is not None and units >= WIDE and 2 * rows < units:
        return tf.transpose(tf.matmul(kernel, dz, transpose_b=True))
    return tf.matmul(dz, kernel, transpose_b=True)


def _through_narrow(
    layer: keras.layers.Dense, x: tf.Tensor, kernel: tf.Tensor, dz: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """As `_through_dense`, in sums: XLA takes long for products of few columns."""
    dx = tf.add_n([dz[..., i, tf.newaxis] * kernel[:, i] for i in range(layer.units)])
    rows, slopes = (tf.reshape(tensor, [-1, tensor.shape[-1]]) for tensor in (x, dz))
    return dx, tf.reduce_sum(rows[:, :, tf.newaxis] * slopes[:, tf.newaxis], axis=0)


def _through_convolution(
    layer: keras.layers.Conv2D, x: tf.Tensor, kernel: tf.Tensor, dz: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    settings = {"strides": [1, *layer.strides, 1], "padding": layer.padding.upper()}
    dx = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=dz, **settings
    )
    d_kernel = tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=kernel.shape, out_backprop=dz, **settings
    )
    return dx, d_kernel


def _is_known(layer: keras.layers.Layer) -> bool:
    if not _is_kept(layer) or layer.activation not in SLOPES or not layer.use_bias:
        return False
    if isinstance(layer, keras.layers.Dense):
        return True
    plain = (layer.groups, layer.dilation_rate, layer.data_format) == (1, (1, 1), "channels_last")
    return plain and layer.padding in ("valid", "same")


def _is_kept(operation: Any) -> bool:
    return type(operation) in (keras.layers.Conv2D, keras.layers.Dense)


def _run(model: keras.Model, observation: Any, replace: Callable[[Operation], Operation]) -> Any:
    """The functional model with some of its operations replaced."""
    return model._run_through_graph(observation, operation_fn=replace)
