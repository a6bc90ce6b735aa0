"""`python -m benchmarks.random_numbers`: microseconds for a block of uniform numbers under XLA."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from a2c_tf import cli

cli.import_tensorflow()

import tensorflow as tf

from a2c_tf import prng
from a2c_tf.acceleration.compilation import xla

BLOCKS, ROUNDS = 2_000, 5
SHAPE = (5, 256)

Generator = Callable[[tf.Tensor], tf.Tensor]

GENERATORS: dict[str, Generator] = {
    "tf.random.stateless_uniform, default": partial(tf.random.stateless_uniform, SHAPE),
    "tf.random.stateless_uniform, philox": partial(
        tf.random.stateless_uniform, SHAPE, alg="philox"
    ),
    "tf.random.stateless_uniform, threefry (XLA only)": partial(
        tf.random.stateless_uniform, SHAPE, alg="threefry"
    ),
    "a2c_tf.prng.uniform": partial(prng.uniform, SHAPE),
}


def many(generator: Generator) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a program of BLOCKS blocks in sequence, summed so that XLA computes all of them."""

    def body(i: tf.Tensor, total: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return i + 1, total + tf.reduce_sum(generator(seed)), prng.next_seed(seed)

    return xla(lambda seed: tf.while_loop(lambda i, *_: i < BLOCKS, body, (0, 0.0, seed))[1])


def main() -> int:
    runs = {name: many(generator) for name, generator in GENERATORS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(ROUNDS + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            float(run(tf.constant([1, round_])))
            seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        microseconds = statistics.median(values[1:]) / BLOCKS * 1e6  # the first round compiles
        print(f"{name:50s} {microseconds:8.1f} us for {SHAPE[0]}x{SHAPE[1]} numbers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
