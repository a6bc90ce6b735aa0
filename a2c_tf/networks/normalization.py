"""Observations normalised by running statistics, inside the network."""

from __future__ import annotations

import keras
import tensorflow as tf

from a2c_tf.running_statistics import CLIP, EPSILON, Moments, merge, moments_of


class RunningNormalization(keras.layers.Layer):
    """Returns (x - mean) / sqrt(variance + ε), clipped to ±10, by the statistics of all merged `x`.

    Calling it changes nothing; only the learner calls `merge`, which does. Before the first merge
    mean is 0 and variance 1.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        def weight(name: str, of: tuple[int | None, ...], initializer: str) -> keras.Variable:
            settings = {"dtype": "float64", "trainable": False, "autocast": False}
            return self.add_weight(of, initializer, name=name, **settings)

        self.count = weight("count", (), "zeros")
        self.mean = weight("mean", shape[1:], "zeros")
        self.squares = weight("squares", shape[1:], "zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        moments = self._moments()
        known = moments.count > 0
        variance = tf.where(known, tf.math.divide_no_nan(moments.squares, moments.count), 1.0)
        scale = tf.cast(tf.math.rsqrt(variance + EPSILON), tf.float32)
        normalized = (tf.cast(x, tf.float32) - tf.cast(moments.mean, tf.float32)) * scale
        return tf.clip_by_value(normalized, -CLIP, CLIP)

    def merge(self, x: tf.Tensor) -> None:
        """Merges the rows of `x` `[N, ...]` into the statistics."""
        merged = merge(self._moments(), moments_of(x, tf.ones([tf.shape(x)[0]])))
        for variable, value in zip((self.count, self.mean, self.squares), merged, strict=True):
            variable.assign(value)

    def _moments(self) -> Moments:
        return Moments(*map(tf.convert_to_tensor, (self.count, self.mean, self.squares)))
