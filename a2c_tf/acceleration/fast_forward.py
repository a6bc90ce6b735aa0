"""Dense and convolutional layers whose output is known, with the gradient written out.

Going back, each layer's gradient follows from its input, its output and its kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

ACTIVATION_GRADIENTS: dict[Callable[..., Any], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    keras.activations.linear: lambda y, dy: dy,
    keras.activations.relu: lambda y, dy: tf.raw_ops.ReluGrad(gradients=dy, features=y),
    keras.activations.tanh: lambda y, dy: tf.raw_ops.TanhGrad(y=y, dy=dy),
}
"""(output, its gradient) -> the gradient of the input, where the output determines it."""

WIDE = 256
"""units of a layer whose kernel oneDNN is slow to transpose, next to a product of few rows."""


def has_known_gradient(layer: keras.layers.Layer) -> bool:
    """Returns whether the gradient of a layer follows from its input, output and kernel."""
    if not is_product(layer) or layer.activation not in ACTIVATION_GRADIENTS or not layer.use_bias:
        return False
    if isinstance(layer, keras.layers.Dense):
        return True
    plain = (layer.groups, layer.dilation_rate, layer.data_format) == (1, (1, 1), "channels_last")
    return plain and layer.padding in ("valid", "same")


def is_product(operation: Any) -> bool:
    """Returns whether an operation of a Keras model is a dense layer or a 2D convolution."""
    return type(operation) in (keras.layers.Conv2D, keras.layers.Dense)


def with_known_output(layer: keras.layers.Layer, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns a layer's known output with the gradient of that layer.

    Args:
      layer: one that `has_known_gradient`.
      x: its input, `[..., F]` or `[N, H, W, C]`.
      y: its output for `x`, in the dtype that the layer computes in.

    Returns:
      `y`, from which gradients flow to `x`, kernel and bias.
    """
    backward = _conv_backward if isinstance(layer, keras.layers.Conv2D) else _dense_backward

    @tf.custom_gradient
    def known(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> Any:
        def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            dz = ACTIVATION_GRADIENTS[layer.activation](y, dy)
            dx, d_kernel = backward(layer, x, kernel, dz)
            return dx, d_kernel, tf.reduce_sum(dz, axis=list(range(dz.shape.rank - 1)))

        return tf.identity(y), gradient

    weights = (tf.convert_to_tensor(weight) for weight in (layer.kernel, layer.bias))
    return known(*(tf.cast(tensor, y.dtype) for tensor in (x, *weights)))


def _dense_backward(
    layer: keras.layers.Dense, x: tf.Tensor, kernel: tf.Tensor, dz: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients by input and kernel: dz Wᵀ and xᵀ dz over all rows."""
    rows, dz_rows = (tf.reshape(tensor, [-1, tensor.shape[-1]]) for tensor in (x, dz))  # [N, F]
    return _input_gradient(kernel, dz), tf.matmul(rows, dz_rows, transpose_a=True)


def _input_gradient(kernel: tf.Tensor, dz: tf.Tensor) -> tf.Tensor:
    """Returns `dz Wᵀ`; of few rows and many units as `(W dzᵀ)ᵀ`, which oneDNN does on all cores."""
    rows, units = dz.shape[0], kernel.shape[-1]
    if dz.shape.rank == 2 and rows is not None and units >= WIDE and 2 * rows < units:
        return tf.transpose(tf.matmul(kernel, dz, transpose_b=True))  # [N, F]
    return tf.matmul(dz, kernel, transpose_b=True)  # [..., F]


def _conv_backward(
    layer: keras.layers.Conv2D, x: tf.Tensor, kernel: tf.Tensor, dz: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients by input and kernel of a convolution."""
    settings = {"strides": [1, *layer.strides, 1], "padding": layer.padding.upper()}
    dx = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=dz, **settings
    )
    d_kernel = tf.raw_ops.Conv2DBackpropFilter(
        input=x, filter_sizes=kernel.shape, out_backprop=dz, **settings
    )
    return dx, d_kernel
