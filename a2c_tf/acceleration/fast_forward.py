"""The forward pass over a trajectory, with the gradients of its products written out.

Going back, the gradient of a dense layer or convolution follows from its input, its output and
its kernel, under XLA faster than by TensorFlow's own. Memoryless networks of these layers alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from a2c_tf.networks import forward
from a2c_tf.networks.forward import TrajectoryOutput
from a2c_tf.types import Trajectory

Replace = Callable[[keras.layers.Layer, str, keras.KerasTensor], keras.KerasTensor]
"""(dense layer or convolution, a name for this use of it, its input) -> its output."""

ACTIVATION_GRADIENTS: dict[Callable[..., Any], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    keras.activations.linear: lambda y, dy: dy,
    keras.activations.relu: lambda y, dy: tf.raw_ops.ReluGrad(gradients=dy, features=y),
    keras.activations.tanh: lambda y, dy: tf.raw_ops.TanhGrad(y=y, dy=dy),
}
"""(output, its gradient) -> the gradient of the input, where the output determines it."""

NARROW = 4
"""units of a layer whose gradient is faster in sums under XLA."""


class FastLayer(keras.layers.Layer):
    """A dense layer or convolution with the gradient written out; it shares the layer's weights."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(autocast=False)
        self.layer = layer

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return with_known_output(self.layer, x, self.layer(x), in_sums=True)

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.layer.compute_output_spec(x)


class FastForward:
    """A copy of a network, on the same weights, with the gradients of its products written out.

    To be made where the layers have the precision that they are to compute in.
    """

    def __init__(self, model: keras.Model) -> None:
        self._network = replace_products(
            model, model.input, lambda layer, _, x: FastLayer(layer)(x)
        )

    def apply_to_trajectory(self, model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
        """Applies the network to a trajectory, as `forward.apply_to_trajectory` does."""
        return forward.apply_to_trajectory(self._network, trajectory)


def is_possible(model: keras.Model) -> bool:
    """Returns whether every layer with weights is one whose gradient follows from its output."""
    return all(has_known_gradient(layer) for layer in model.layers if layer.trainable_weights)


def replace_products(model: keras.Model, inputs: Any, replace: Replace) -> keras.Model:
    """Copies a functional model with its products of matrices replaced.

    Args:
      model: what is copied; the copy shares its layers.
      inputs: KerasTensors, structured as those of the model.
      replace: makes the output of each dense layer and convolution.

    Returns:
      The copy.
    """
    uses: Counter[str] = Counter()  # a layer may be used twice

    def call(operation: Any, *arguments: Any, **keywords: Any) -> Any:
        if not is_product(operation):
            return operation(*arguments, **keywords)
        uses[operation.name] += 1
        return replace(operation, f"{operation.name}_{uses[operation.name]}", *arguments)

    return keras.models.clone_model(
        model, input_tensors=inputs, clone_function=lambda layer: layer, call_function=call
    )


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


def with_known_output(
    layer: keras.layers.Layer, x: tf.Tensor, y: tf.Tensor, in_sums: bool = False
) -> tf.Tensor:
    """Returns a layer's known output with the gradient of that layer.

    Args:
      layer: one that `has_known_gradient`.
      x: its input, `[..., F]` or `[N, H, W, C]`.
      y: its output for `x`, in the dtype that the layer computes in.
      in_sums: whether narrow dense layers go back in sums: XLA is slow at products of few columns.

    Returns:
      `y`, from which gradients flow to `x`, kernel and bias.
    """
    backward = _dense_backward
    if isinstance(layer, keras.layers.Conv2D):
        backward = _conv_backward
    elif in_sums and 1 < layer.units <= NARROW:
        backward = _narrow_backward

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
    return tf.matmul(dz, kernel, transpose_b=True), tf.matmul(rows, dz_rows, transpose_a=True)


def _narrow_backward(
    layer: keras.layers.Dense, x: tf.Tensor, kernel: tf.Tensor, dz: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what `_dense_backward` does, in sums over units and rows."""
    dx = tf.add_n([dz[..., i, tf.newaxis] * kernel[:, i] for i in range(layer.units)])
    rows, dz_rows = (tf.reshape(tensor, [-1, tensor.shape[-1]]) for tensor in (x, dz))  # [N, F]
    return dx, tf.reduce_sum(rows[:, :, tf.newaxis] * dz_rows[:, tf.newaxis], axis=0)


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
