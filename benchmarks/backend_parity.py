"""`python -m benchmarks.backend_parity`: Pong through three backends, compared bit for bit.

Each backend has another way to make the start of a game random. Without that, all three show the
same frames, so that a run is the same run by each, its weights and its scores, as long as no game
reaches the step limit, where ale-py's newest frame may be old.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from a2c_tf import config
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.run_dir import RunDir

STARTS = {
    "ale": ("env.atari.noop_max=0",),
    "gymnasium": ("env.atari.noop_max=0",),
    "envpool": ("env.atari.noop_max=1", "env.atari.fire_reset=false"),
}
"""Settings by which Pong starts a frame in: FIRE or no action, which are one to it."""


def begin(backend: str, folder: Path, overrides: list[str], checkpoint: Path | None) -> list[str]:
    """Returns the words by which a user starts the run, or resumes a branch of a checkpoint."""
    settings = [f"env.backend={backend}", *STARTS[backend], *overrides]
    if checkpoint is None:
        return ["pong", *settings, "--overwrite"]
    began_as = RunDir(checkpoint.parent.parent).config
    branch = run_dir.create(folder, config.load(str(began_as), settings), overwrite=True)
    shutil.copytree(checkpoint, branch.checkpoints / checkpoint.name)
    return ["--resume"]


def run(folders: dict[str, Path], overrides: list[str], checkpoint: Path | None) -> None:
    """Runs all backends at once; raises SystemExit where one of them fails."""
    processes = []
    for backend, folder in folders.items():
        words = begin(backend, folder, overrides, checkpoint)
        command = [sys.executable, "-m", "a2c_tf.train", *words, "--run-dir", str(folder)]
        processes.append(subprocess.Popen(command))
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"error: runs ended with {codes}")


def compare(folders: dict[str, Path]) -> bool:
    """Prints the first, second, ... checkpoint of each run and returns whether all are the same.

    Where a run has more of them than another, as one that is still going on, the rest is left out.
    """
    runs = [RunDir(folder) for folder in folders.values()]
    saved = [checkpoints.listed(run.checkpoints) for run in runs]
    same = [_compare(runs, paths) for paths in zip(*saved, strict=False)]
    return bool(same) and all(same)


def _compare(runs: list[RunDir], paths: tuple[Path, ...]) -> bool:
    saved = [checkpoints.load(path) for path in paths]
    steps = [checkpoint.counters.env_steps for checkpoint in saved]
    weights = [{n: x.tobytes() for n, x in checkpoint.model.items()} for checkpoint in saved]
    returns = [_returns(run, n) for run, n in zip(runs, steps, strict=True)]
    first, *others = zip(steps, weights, returns, strict=True)
    same = all(other == first for other in others)
    shown = ", ".join(returns)
    print(f"{steps[0]:>12,} steps: {shown}; {'the same run' if same else 'NOT the same run'}")
    return same


def _returns(run: RunDir, env_steps: int) -> str:
    """Mean return of the episodes that ended before that step, in the last row that has some."""
    rows = [row for row in run_dir.read_metrics(run.metrics) if row["env_steps"] <= env_steps]
    returns = [row["episode_return"] for row in rows if "episode_return" in row]
    return f"return {returns[-1]:.2f}" if returns else "no game over"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.backend_parity", description=__doc__
    )
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("runs") / "backend_parity")
    parser.add_argument("--checkpoint", type=Path, help="of a run of Pong, from which all go on")
    parser.add_argument("--compare-only", action="store_true", help="runs that are there already")
    arguments = parser.parse_intermixed_args()
    if arguments.checkpoint and not arguments.checkpoint.is_dir():
        parser.error(f"--checkpoint {arguments.checkpoint}: expected a run's checkpoints/ckpt-N")
    same = True
    for seed in arguments.seeds:
        folders = {backend: arguments.out / f"s{seed}-{backend}" for backend in STARTS}
        if not arguments.compare_only:
            overrides = [*arguments.overrides, f"run.seed={seed}", "run.keep_checkpoints=1000"]
            run(folders, overrides, arguments.checkpoint)
        print(f"seed {seed}: {', '.join(STARTS)}")
        same &= compare(folders)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
