"""What a program hears of its training: rows of metrics, evaluations, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from a2c_tf.config import Config
from a2c_tf.errors import ConfigError


class Callback:
    """Hears of a training between its compiled calls; a subclass overrides what it needs.

    Each event is reported after the files that belong to it are written. A method that returns
    False stops the training, as in Stable-Baselines3: it is evaluated and exported as it is then.
    None and True go on. An exception ends the run after a checkpoint is saved.
    """

    def on_start(self, path: Path, config: Config) -> None:
        """Hears that a run begins, or is resumed.

        Args:
          path: the run's folder.
          config: all settings.
        """

    def on_metrics(self, row: Mapping[str, float]) -> bool | None:
        """Hears of a row of `metrics.jsonl`, every `run.log_every` environment steps.

        Args:
          row: such as `env_steps`, `episode_return` and `loss/policy`.

        Returns:
          False to stop the training.
        """
        return None

    def on_evaluation(self, evaluation: Mapping[str, Any]) -> bool | None:
        """Hears of an evaluation, every `run.eval_every` environment steps and after the last.

        Args:
          evaluation: `env_steps`, and what `evaluation.json` says of the return.

        Returns:
          False to stop the training.
        """
        return None

    def on_checkpoint(self, path: Path) -> bool | None:
        """Hears of a checkpoint, every `run.save_every` environment steps and after the last.

        Args:
          path: its folder, which later checkpoints delete.

        Returns:
          False to stop the training.
        """
        return None

    def on_end(self) -> None:
        """Hears that the run ended, also by an error or a signal; the last call."""


class Callbacks:
    """Several callbacks as one. Events are queued, and delivered once all files are written.

    Args:
      callbacks: in the order in which they hear of an event.

    Attributes:
      stopped: whether one of them has stopped the training.
      error: what one of them raised.

    Raises:
      ConfigError: for what is no callback.
    """

    def __init__(self, callbacks: Sequence[Callback] = ()) -> None:
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(
                    f"callbacks: received {callback!r}; expected objects of a class that is "
                    "derived from a2c_tf.Callback"
                )
        self._callbacks = tuple(callbacks)
        self._events: list[Callable[[Callback], bool | None]] = []
        self.stopped = False
        self.error: BaseException | None = None

    def start(self, path: Path, config: Config) -> None:
        """Tells all of them that the run in the folder `path` begins."""
        for callback in self._callbacks:
            callback.on_start(path, config)

    def add_metrics(self, row: Mapping[str, float]) -> None:
        """Queues a row of metrics."""
        self._events.append(lambda callback: callback.on_metrics(dict(row)))

    def add_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Queues an evaluation."""
        self._events.append(lambda callback: callback.on_evaluation(dict(evaluation)))

    def add_checkpoint(self, path: Path) -> None:
        """Queues a checkpoint."""
        self._events.append(lambda callback: callback.on_checkpoint(path))

    def deliver(self) -> None:
        """Tells all of them of what is queued, in the order in which it came.

        Raises:
          BaseException: what one of them raised, kept as `error`, too.
        """
        events, self._events = self._events, []
        try:
            for event in events:
                answers = [event(callback) for callback in self._callbacks]
                # numpy's False is no `False`
                self.stopped |= any(answer is not None and not answer for answer in answers)
        except BaseException as error:
            self.error = error
            raise

    def end(self) -> None:
        """Tells all of them that the run ended."""
        for callback in self._callbacks:
            callback.on_end()
