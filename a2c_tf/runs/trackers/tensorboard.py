"""TensorBoard: scalars by environment steps, the settings as hparams, the config as text."""

from __future__ import annotations

import shutil

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams_api

from a2c_tf.config import Config, flat, to_yaml
from a2c_tf.runs.metrics import Row
from a2c_tf.runs.trackers.base import TrackedRun


class TensorBoard:
    """Writes event files into the run's folder.

    What is there is deleted and written again from the rows, since a resumed run may come a
    second time to steps after its checkpoint.

    Args:
      run: whose folder, config and earlier rows.
      run_id: ignored, since the folder is the run.
    """

    id: str | None = None

    def __init__(self, run: TrackedRun, run_id: str | None = None) -> None:
        shutil.rmtree(run.folder.tensorboard, ignore_errors=True)
        self._writer = tf.summary.create_file_writer(str(run.folder.tensorboard))
        with self._writer.as_default():
            hparams_api.hparams(hparams(run.config), trial_id=run.folder.path.name)
            tf.summary.text("config", f"```yaml\n{to_yaml(run.config)}```", step=0)
        for row in run.rows:
            self._add(row)
        self._writer.flush()

    def write(self, row: Row) -> None:
        self._add(row)
        self._writer.flush()

    def _add(self, row: Row) -> None:
        with self._writer.as_default():
            for name, value in row.items():
                if name != "env_steps":
                    tf.summary.scalar(name, value, step=int(row["env_steps"]))

    def close(self, failed: bool = False) -> None:
        self._writer.close()


def hparams(config: Config) -> dict[str, bool | int | float | str]:
    """Returns every setting by its dotted name, as text where it is no number."""
    return {
        name: value if isinstance(value, bool | int | float) else str(value)
        for name, value in flat(config).items()
    }
