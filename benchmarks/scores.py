"""`python -m benchmarks.scores CONFIG`: one run a seed, from the shell as a user starts it."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from a2c_tf.runs.curves import save_curves
from a2c_tf.runs.run_dir import RunDir


def run(config: str, seed: int, out: Path, overrides: list[str]) -> dict[str, Any]:
    """Trains one run; returns its evaluation and the seconds of the whole process."""
    folder = out / f"{config}-{seed}"
    command = [sys.executable, "-m", "a2c_tf.train", config, f"run.seed={seed}", *overrides]
    start = time.perf_counter()
    subprocess.run([*command, "--run-dir", str(folder), "--overwrite"], check=True)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    return {**evaluation, "seconds": time.perf_counter() - start}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scores", description=__doc__)
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("runs") / "scores")
    arguments = parser.parse_intermixed_args()
    results = [
        run(arguments.config, seed, arguments.out, arguments.overrides) for seed in arguments.seeds
    ]
    for result in results:
        print(
            f"seed {result['seed']}: mean {result['mean']:.2f}, median {result['median']:.2f}, "
            f"min {result['min']:.0f}, max {result['max']:.0f}, {result['seconds']:.0f} s"
        )
    means = [result["mean"] for result in results]
    print(
        f"{arguments.config}: {statistics.mean(means):.2f} over {len(means)} seeds "
        f"({min(means):.2f} to {max(means):.2f}), "
        f"{'greedy' if results[0]['deterministic'] else 'sampled'} actions"
    )
    folders = [arguments.out / f"{arguments.config}-{seed}" for seed in arguments.seeds]
    save_curves([RunDir(folder) for folder in folders], arguments.out / "curves.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
