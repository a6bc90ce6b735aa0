"""The training loop: compiled calls, and what is written between them."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextlib import nullcontext

import tensorflow as tf

from a2c_tf.acceleration.sharding import DEFAULT_THREADS, Threads
from a2c_tf.agent import SeedPurpose, make_agent, make_seeds
from a2c_tf.callbacks import Callbacks
from a2c_tf.config import Config
from a2c_tf.envs.base import Environment
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.evaluation.evaluator import (
    Evaluator,
    InterruptedEvaluationError,
    Report,
    make_evaluator,
)
from a2c_tf.evaluation.tally import Evaluation
from a2c_tf.runs import checkpoints, metrics
from a2c_tf.runs.checkpoint_files import Checkpoint
from a2c_tf.runs.progress import Status, episodes_report, no_status
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training import assembly, snapshots
from a2c_tf.training.metrics_window import Window
from a2c_tf.types import Counters, ObservedSteps, UnrollState


class Trainer:
    """One run: an environment, an agent, a learner, and how far they have come.

    Args:
      env: the environment trained on.
      config: all settings.
      run_dir: where checkpoints and metrics go.
      checkpoint: where to resume from; None starts at step 0.
      threads: of TensorFlow, as `assembly.choose_threads` returned them.
      callbacks: hear of what is written; None: nobody does.
    """

    def __init__(
        self,
        env: Environment,
        config: Config,
        run_dir: RunDir,
        checkpoint: Checkpoint | None,
        threads: Threads = DEFAULT_THREADS,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.callbacks = callbacks or Callbacks()
        self._config = config
        self._env = env
        self._run_dir = run_dir
        self._threads = threads
        self.agent = make_agent(env.spec, config)
        training = assembly.make_training(env, self.agent, config, threads)
        self._learner, self._train_step, self.acceleration = training
        self._exact = env.spec.backend == "graph"
        self._best_return: float | None = None
        self._saved_at: int | None = None
        self.compiled: Counters | None = None  # after the first call, which compiles
        self.counters = Counters()
        self._state = self._start(checkpoint.counters.env_steps if checkpoint else 0)
        if checkpoint:
            self._restore(checkpoint)
        self._window = Window(self.counters)

    def train(
        self,
        writer: metrics.Writer,
        interrupted: Callable[[], bool],
        status: Status = no_status,
    ) -> None:
        """Trains to the configured number of steps, or until `interrupted`, and saves.

        Args:
          writer: takes the rows of metrics.
          interrupted: asked between the calls whether to stop.
          status: shows what is done when it is not training.

        Raises:
          NonFiniteError: where loss or gradient is not finite.
        """
        run = self._config.run
        while self._goes_on() and not interrupted():
            before = self.counters.env_steps
            with nullcontext() if self.compiled else status("compiling"):
                self._call()
            self.compiled = self.compiled or self.counters
            evaluated = self._evaluate_if_due(before, interrupted, status)
            saving = self._crossed(before, run.save_every)
            # a row ends at a checkpoint, since a resumed run begins one there
            if evaluated or saving or self._crossed(before, run.log_every):
                self._flush(writer, evaluated)
            if saving:
                self.save()
            self._deliver()
        self._flush(writer, {})
        self.save()
        self.callbacks.deliver()

    def evaluate(
        self,
        interrupted: Callable[[], bool] = lambda: False,
        report: Report = lambda done, of: None,
    ) -> Evaluation:
        """Plays the configured evaluation; the best agent so far is kept as `best`.

        Args:
          interrupted: asked now and then whether to stop.
          report: called now and then with the progress.

        Returns:
          The episodes.

        Raises:
          InterruptedEvaluationError: where it was interrupted.
        """
        result = self.play(self._config.run.eval_deterministic, interrupted, report)
        self.callbacks.add_evaluation({**result.summary(), "env_steps": self.counters.env_steps})
        if self._best_return is None or result.mean > self._best_return:
            self._best_return = result.mean
            checkpoints.save(self._run_dir.checkpoints, self._checkpoint(), "best")
        return result

    def play(
        self,
        deterministic: bool,
        interrupted: Callable[[], bool] = lambda: False,
        report: Report = lambda done, of: None,
    ) -> Evaluation:
        """Plays the episodes of an evaluation, greedy or sampled.

        Args:
          deterministic: whether actions are greedy; else they are sampled.
          interrupted: asked now and then whether to stop.
          report: called now and then with the progress.

        Returns:
          The episodes.

        Raises:
          InterruptedEvaluationError: where it was interrupted.
        """
        run = self._config.run
        return self._evaluator.evaluate(
            run.eval_episodes, run.seed, interrupted, deterministic, report
        )

    def rehearse(self) -> None:
        """Plays nothing, but makes what evaluations need."""
        _ = self._evaluator

    @functools.cached_property
    def _evaluator(self) -> Evaluator:
        """Plays in the graph on environments of its own, elsewhere on those of training.

        A simulator may hold a licence or a port, of which there are no more than that.
        """
        run, config = self._config.run, self._config
        env = None if self._exact else self._env
        return make_evaluator(
            self.agent, config, run.eval_episodes, run.eval_deterministic, self._threads, env
        )

    def close(self) -> None:
        """Closes the environments of evaluations; that of training is its maker's to close."""
        if "_evaluator" in vars(self) and self._exact:
            self._evaluator.close()

    def observed_steps(self) -> ObservedSteps | None:
        """Returns a sample of what environments on the host observed; None for those in graph."""
        return self._env.observed_steps() if isinstance(self._env, HostEnvironment) else None

    def _start(self, env_steps: int) -> UnrollState:
        """Starts episodes, which do not repeat those of the run's first start, or of other ones."""
        seeds = make_seeds(self._config.run.seed, SeedPurpose.TRAINING, env_steps)
        return self.agent.start(self._env, seeds)

    def save(self) -> None:
        """Writes a checkpoint and deletes the oldest."""
        if self.counters.env_steps == self._saved_at:
            return
        self._saved_at = self.counters.env_steps
        path = checkpoints.save(self._run_dir.checkpoints, self._checkpoint())
        checkpoints.prune(self._run_dir.checkpoints, self._config.run.keep_checkpoints)
        self.callbacks.add_checkpoint(path)

    def _goes_on(self) -> bool:
        return self.counters.env_steps < self._config.run.total_steps and not self.callbacks.stopped

    def _deliver(self) -> None:
        """Tells the callbacks what was written; where one raises, a checkpoint is saved first."""
        try:
            self.callbacks.deliver()
        except BaseException:
            self.save()
            raise

    def _call(self) -> None:
        """Makes one compiled call, and takes the numbers that come back from it."""
        start = time.perf_counter()
        config, run = self._config, self._config.run
        steps_left = run.total_steps - self.counters.env_steps
        wanted = math.ceil(steps_left / (config.a2c.unroll_length * config.env.num_envs))
        updates = min(run.updates_per_call, wanted)
        self._state, report = self._train_step(self._state, tf.constant(updates))
        report = tf.nest.map_structure(float, report)
        self._window.add(report, updates)
        self.counters = Counters(
            env_steps=int(self._learner.env_steps),
            updates=int(self._learner.updates),
            episodes=self.counters.episodes + int(report.statistics.episodes),
            time_s=self.counters.time_s + time.perf_counter() - start,
        )
        snapshots.check_finite(report.metrics, self.counters)

    def _crossed(self, before: int, every: int) -> bool:
        """Returns whether a multiple of `every` was passed, the same ones after resuming."""
        return before // every != self.counters.env_steps // every

    def _evaluate_if_due(
        self, before: int, interrupted: Callable[[], bool], status: Status
    ) -> metrics.Row:
        every = self._config.run.eval_every
        if not every or not self._crossed(before, every):
            return {}
        try:
            return {"eval/return": self._evaluate_shown(interrupted, status).mean}
        except InterruptedEvaluationError:
            return {}
        finally:
            if not self._exact:  # its environments have played the evaluation
                self._state = self._start(self.counters.env_steps)

    def _evaluate_shown(self, interrupted: Callable[[], bool], status: Status) -> Evaluation:
        with status("evaluating") as update:
            return self.evaluate(interrupted, episodes_report(update))

    def _flush(self, writer: metrics.Writer, evaluated: metrics.Row) -> None:
        if self._window.updates:
            row = {**self._window.row(self.counters), **evaluated}
            writer.write(row)
            self.callbacks.add_metrics(row)
            self._window = Window(self.counters)

    def _checkpoint(self) -> Checkpoint:
        state = self._state if self._exact else None
        return snapshots.take(self.agent, self._learner, self.counters, state, self._best_return)

    def _restore(self, checkpoint: Checkpoint) -> None:
        snapshots.restore(checkpoint, self.agent, self._learner)
        self.counters = checkpoint.counters
        self._best_return = snapshots.best_return(self._run_dir)
        self._state = snapshots.restored_state(checkpoint, self._state, self.agent.spec)
