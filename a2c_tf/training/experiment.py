"""One run from start to end: rehearse the end, train, finish, or save where it is interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from a2c_tf.callbacks import Callbacks
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.errors import CommandError
from a2c_tf.evaluation.evaluator import InterruptedEvaluationError
from a2c_tf.invocation import command_line
from a2c_tf.runs import checkpoints, metrics, run_dir
from a2c_tf.runs.progress import Progress, no_status
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.run_lock import locked
from a2c_tf.runs.trackers.base import TrackedRun
from a2c_tf.runs.trackers.opening import check_installed, open_trackers
from a2c_tf.training import assembly
from a2c_tf.training.finishing import finish, rehearse
from a2c_tf.training.reporter import QUIET, Reporter
from a2c_tf.training.run_context import RunContext
from a2c_tf.training.trainer import Trainer

Begin = Literal["new", "overwrite", "resume"]
"""whether the folder holds nothing yet, a run to be deleted, or the one to go on with."""


def run(
    config: Config,
    path: Path,
    begin: Begin,
    interrupted: Callable[[], bool],
    reporter: Reporter = QUIET,
    callbacks: Callbacks | None = None,
) -> bool:
    """Runs `config` in the folder `path`.

    Args:
      config: all settings.
      path: of the run's folder.
      begin: what the folder holds.
      interrupted: asked now and then whether to save and stop.
      reporter: shows how the run goes.
      callbacks: hear of what is written.

    Returns:
      Whether the run came to its end.

    Raises:
      CommandError: with the exit code; a ConfigError before anything is written.
    """
    started = time.perf_counter()
    with locked(path), contextlib.ExitStack() as stack:
        check_installed(config.run.trackers)
        folder = RunDir(path)
        checkpoint = checkpoints.load_newest(folder.checkpoints) if begin == "resume" else None
        threads = assembly.choose_threads(config)
        env = stack.enter_context(closing(registry.make(config.env)))
        stack.enter_context(report_errors(env))
        trainer = Trainer(env, config, folder, checkpoint, threads, callbacks)
        stack.callback(trainer.close)
        if begin == "resume":
            run_dir.write_config(folder, config)
        else:
            run_dir.create(path, config, begin == "overwrite")
        stack.callback(trainer.callbacks.end)
        trainer.callbacks.start(path, config)
        progress = _make_progress(trainer, config) if reporter.progress else None
        status = progress.status if progress else no_status
        context = RunContext(trainer, config, folder, interrupted, reporter, status, started)
        return _run(context, progress, begin)


def _make_progress(trainer: Trainer, config: Config) -> Progress:
    steps = trainer.counters.env_steps
    return Progress(config.run.total_steps, steps, lambda: trainer.compiled)


def _run(run: RunContext, progress: Progress | None, begin: Begin) -> bool:
    """Rehearses the end, trains, and finishes; returns False where that was interrupted."""
    _announce(run)
    try:
        if begin != "resume":
            rehearse(run)
        with _open_writers(run) as (lines, trackers):
            _train(run, metrics.Writers(lines, trackers), progress)
            with contextlib.suppress(InterruptedEvaluationError):
                if not run.interrupted():
                    finish(run, trackers)
                    return True
    except OSError as error:
        if error is run.trainer.callbacks.error:
            raise
        raise CommandError(
            f"run folder {run.folder.path}: {error.strerror or error}; "
            f"fix this, then resume with {_resume_command(run.folder)}"
        ) from None
    newest = checkpoints.listed(run.folder.checkpoints)[-1]
    run.reporter.say(f"saved {newest}; resume with {_resume_command(run.folder)}")
    return False


@contextlib.contextmanager
def _open_writers(run: RunContext) -> Iterator[tuple[metrics.Writer, metrics.Writer]]:
    """Yields `metrics.jsonl`, which a resumed run first cuts to where it goes on, and trackers."""
    folder = run.folder
    lines = metrics.JsonLines(folder.metrics, resume_at=run.trainer.counters.env_steps)
    with closing(lines):
        rows = run_dir.read_metrics(folder.metrics)
        with open_trackers(TrackedRun(run.config, folder, rows)) as trackers:
            yield lines, trackers


def _announce(run: RunContext) -> None:
    spec, steps = run.trainer.agent.spec, run.trainer.counters.env_steps
    run.reporter.say(
        f"{spec.id} ({spec.backend}), {spec.num_envs} environments, "
        f"{run.trainer.agent.model.count_params():,} weights, seed {run.config.run.seed}: "
        f"{'resuming at' if steps else 'training from'} step {steps:,} of "
        f"{run.config.run.total_steps:,} in {run.folder.path}\n"
        f"acceleration: {run.trainer.acceleration}"
    )


def _train(run: RunContext, writer: metrics.Writer, progress: Progress | None) -> None:
    if progress is None:
        run.trainer.train(writer, run.interrupted, run.status)
        return
    with closing(progress):
        run.trainer.train(metrics.Writers(writer, progress), run.interrupted, run.status)


def _resume_command(folder: RunDir) -> str:
    return command_line("a2c_tf.train", "--run-dir", folder.path, "--resume")
