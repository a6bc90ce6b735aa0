"""Weights & Biases: the extra `wandb`, then `wandb login` or WANDB_MODE=offline."""

from __future__ import annotations

import os

from wandb import Error, Settings, init

from a2c_tf.errors import ConfigError
from a2c_tf.runs.metrics import Row
from a2c_tf.runs.trackers.base import TrackedRun


class WandB:
    """Writes rows to a run of the project `a2c_tf`, or of the one that WANDB_PROJECT names.

    Args:
      run: whose config and folder, which holds the files of wandb.
      run_id: of the run to go on with; None starts one.

    Raises:
      ConfigError: where wandb cannot start a run, as without a login.
    """

    def __init__(self, run: TrackedRun, run_id: str | None = None) -> None:
        run.folder.trackers.mkdir(exist_ok=True)
        try:
            self._run = init(
                project=os.environ.get("WANDB_PROJECT", "a2c_tf"),
                name=run.folder.path.name,
                id=run_id,
                resume="allow",
                dir=str(run.folder.trackers),
                config=run.config.model_dump(mode="json"),
                # the terminal is the progress line's
                settings=Settings(console="off", quiet=True),
            )
        except Error as error:
            raise ConfigError(
                f"run.trackers: wandb: {error}; run wandb login, or set WANDB_MODE=offline"
            ) from None
        self.id: str | None = self._run.id
        self._run.define_metric("env_steps")
        self._run.define_metric("*", step_metric="env_steps")

    def write(self, row: Row) -> None:
        self._run.log(dict(row))

    def close(self, failed: bool = False) -> None:
        self._run.finish(exit_code=int(failed))
