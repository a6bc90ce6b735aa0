"""`python -m benchmarks.ale_loop`: Pong by our environment and by ale-py's bare loop, in turns.

Both step the same emulators. Those of two processes may differ in speed by a third, so that
`benchmarks.throughput`, with a process for each loop, compares them less exactly.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import statistics
import sys
import time
from collections.abc import Callable

from a2c_tf import cli
from a2c_tf.cli import at_least
from a2c_tf.dependencies import install_extra

SECONDS = 0.4
"""of a turn: shorter than what else a shared machine does."""

Loop = Callable[[int], object]
"""(number of steps) -> the emulators stepped that often."""


def make_loops(num_envs: int) -> tuple[Loop, Loop, int]:
    """Returns our loop, the bare one, and the number of steps whose multiples ours can take."""
    import numpy as np

    from a2c_tf.agent import make_agent
    from a2c_tf.envs.host import atari
    from benchmarks.workers import ours
    from benchmarks.workloads import PONG

    config = ours.make_config(PONG._replace(num_envs=num_envs))
    vector_env = atari.make_ale_vector(config.env)
    env = atari.adapt_ale(vector_env, config.env)
    run = ours.make_stepping(env, make_agent(env.spec, config), config)
    rng = np.random.default_rng(0)
    actions = len(env.spec.action_meanings)

    def bare(steps: int) -> None:
        for _ in range(steps):
            vector_env.step(rng.integers(0, actions, num_envs))

    return run, bare, config.a2c.unroll_length


def measure(loops: tuple[Loop, Loop], steps: int, turns: int) -> list[tuple[float, float]]:
    """Returns seconds of ours and of the bare loop for `steps` each, in alternating order."""
    pairs = []
    for turn in range(turns):
        seconds = {}
        for i in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter()
            loops[i](steps)
            seconds[i] = time.perf_counter() - start
        pairs.append((seconds[0], seconds[1]))
    return pairs


def main() -> int:
    arguments = _parse()
    if importlib.util.find_spec("ale_py") is None:
        print(f"error: no ale-py; {install_extra('atari')}", file=sys.stderr)
        return 2
    cli.import_tensorflow()
    ours, bare, multiple = make_loops(arguments.num_envs)
    for loop in (ours, bare):  # compiles
        loop(multiple)
    start = time.perf_counter()
    bare(multiple)
    steps = multiple * max(1, round(SECONDS / (time.perf_counter() - start)))
    pairs = measure((ours, bare), steps, arguments.turns)
    seconds = [statistics.mean(taken) for taken in zip(*pairs, strict=True)]
    rates = [steps * arguments.num_envs / taken for taken in seconds]
    # a mean of quotients would lean towards ours by half their variance
    logarithms = [math.log(bare_seconds / our_seconds) for our_seconds, bare_seconds in pairs]
    share = math.exp(statistics.mean(logarithms))
    error = share * statistics.stdev(logarithms) / len(pairs) ** 0.5
    print(
        f"Pong, B={arguments.num_envs}: {rates[0]:,.0f} of {rates[1]:,.0f} steps/s, "
        f"{rates[0] / rates[1]:.1%} of the bare loop over all turns; turn by turn "
        f"{share:.1%} ± {error:.1%} (geometric mean of {len(pairs)} turns, standard error)"
    )
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ale_loop", description=__doc__)
    parser.add_argument("--num-envs", type=at_least(1), default=128)
    parser.add_argument("--turns", type=at_least(2), default=200, help="of each loop")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
