"""One run from start to end: train, evaluate, plot, export, and say where everything lies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from a2c_tf.cli import say
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.errors import CommandError
from a2c_tf.evaluation.evaluator import InterruptedEvaluationError
from a2c_tf.runs import checkpoints, metrics, run_dir
from a2c_tf.runs.curves import save_curves
from a2c_tf.runs.progress import Progress, Status
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.trackers.base import TrackedRun
from a2c_tf.runs.trackers.opening import check_installed, open_trackers
from a2c_tf.training import assembly
from a2c_tf.training.trainer import Trainer
from export import exporting
from export.manifest import Source


class Showing(NamedTuple):
    """What shows a run while it goes on."""

    trackers: metrics.Writer
    status: Status


Begin = Literal["new", "overwrite", "resume"]
"""whether the folder holds nothing yet, a run to be deleted, or the one to go on with."""


def run(config: Config, path: Path, begin: Begin, interrupted: Callable[[], bool]) -> bool:
    """Runs `config` in the folder `path`.

    Args:
      config: all settings.
      path: of the run's folder.
      begin: what the folder holds.
      interrupted: asked now and then whether to save and stop.

    Returns:
      Whether the run came to its end.

    Raises:
      CommandError: with the exit code; a ConfigError before anything is written.
    """
    started = time.perf_counter()
    check_installed(config.run.trackers)
    folder = RunDir(path)
    checkpoint = checkpoints.load_newest(folder.checkpoints) if begin == "resume" else None
    threads = assembly.choose_threads(config)
    with (
        closing(registry.make(config.env)) as env,
        report_errors(env),
        closing(Trainer(env, config, folder, checkpoint, threads)) as trainer,
    ):
        if begin == "resume":
            run_dir.write_config(folder, config)
        else:
            run_dir.create(path, config, begin == "overwrite")
        return _run(trainer, config, folder, started, interrupted)


def _run(
    trainer: Trainer,
    config: Config,
    folder: RunDir,
    started: float,
    interrupted: Callable[[], bool],
) -> bool:
    _announce(trainer, config, folder)
    steps = trainer.counters.env_steps
    progress = Progress(config.run.total_steps, steps, lambda: trainer.compiled)
    try:
        with (
            closing(metrics.JsonLines(folder.metrics, resume_at=steps)) as lines,
            open_trackers(
                TrackedRun(config, folder, run_dir.read_metrics(folder.metrics))
            ) as trackers,
        ):
            with closing(progress):
                writer = metrics.Writers(lines, trackers, progress)
                trainer.train(writer, interrupted, progress.status)
            showing = Showing(trackers, progress.status)
            if not interrupted() and _finish(
                trainer, config, folder, started, interrupted, showing
            ):
                return True
        say(f"saved {_newest(folder)}; resume with {_resume_command(folder)}", sys.stdout)
        return False
    except OSError as error:
        raise CommandError(
            f"run folder {folder.path}: {error.strerror or error}; "
            f"fix this, then resume with {_resume_command(folder)}"
        ) from None


def _announce(trainer: Trainer, config: Config, folder: RunDir) -> None:
    spec, steps = trainer.agent.spec, trainer.counters.env_steps
    say(
        f"{spec.id} ({spec.backend}), {spec.num_envs} environments, "
        f"{trainer.agent.model.count_params():,} weights, seed {config.run.seed}: "
        f"{'resuming at' if steps else 'training from'} step {steps:,} of "
        f"{config.run.total_steps:,} in {folder.path}\n"
        f"acceleration: {trainer.acceleration}",
        sys.stdout,
    )


def _finish(
    trainer: Trainer,
    config: Config,
    folder: RunDir,
    started: float,
    interrupted: Callable[[], bool],
    showing: Showing,
) -> bool:
    """Evaluates, draws and exports; returns False where the evaluation was interrupted."""
    try:
        with showing.status("evaluating"):
            result = trainer.evaluate(interrupted).summary()
    except InterruptedEvaluationError:
        return False
    evaluation = {
        **result,
        "environment": config.env.id,
        "deterministic": config.run.eval_deterministic,
        "seed": config.run.seed,
        "env_steps": trainer.counters.env_steps,
    }
    run_dir.write_json(folder.evaluation, evaluation)
    showing.trackers.write({"env_steps": trainer.counters.env_steps, "eval/return": result["mean"]})
    with showing.status("drawing curves"):
        save_curves([folder], folder.curves)
    # before the export, which may be refused
    say(
        f"return    {result['mean']:.2f} ± {result['std']:.2f} over {result['episodes']} episodes, "
        f"{'greedy' if config.run.eval_deterministic else 'sampled'} actions\n"
        f"curves    {folder.curves}",
        sys.stdout,
    )
    if config.run.export:
        with showing.status("exporting"):
            _export(Source(trainer.agent, config, trainer.counters, evaluation), folder)
    say(
        f"time      {time.perf_counter() - started:.0f} s in all{_speed(trainer)}\n"
        f"{_where_to_go_on(config, folder)}",
        sys.stdout,
    )
    return True


def _export(source: Source, folder: RunDir) -> None:
    try:
        exporting.export_agent(source, folder.export)
    except CommandError as error:
        raise type(error)(
            f"{error}; {folder.path} holds the run as a whole: "
            f"export it again with python -m export {folder.path}"
        ) from None


def _where_to_go_on(config: Config, folder: RunDir) -> str:
    if not config.run.export:
        return (
            f"policy    not exported (run.export=false)\nexport    python -m export {folder.path}"
        )
    return f"policy    {folder.export / 'policy.onnx'}\nserve it  python -m serving {folder.export}"


def _speed(trainer: Trainer) -> str:
    """Training speed once compiled, where there was more than the call that compiles."""
    if trainer.compiled is None or trainer.compiled == trainer.counters:
        return ""
    steps = trainer.counters.env_steps - trainer.compiled.env_steps
    seconds = trainer.counters.time_s - trainer.compiled.time_s
    return f", training at {steps / seconds:,.0f} steps/s"


def _newest(folder: RunDir) -> Path:
    return checkpoints.listed(folder.checkpoints)[-1]


def _resume_command(folder: RunDir) -> str:
    return f"python -m a2c_tf.train --run-dir {folder.path} --resume"
