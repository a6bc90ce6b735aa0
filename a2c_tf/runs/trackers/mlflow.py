"""MLflow: the extra `mlflow`; MLFLOW_TRACKING_URI says where, else ./mlflow.db."""

from __future__ import annotations

import logging
import os
import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from a2c_tf.config import Config, flat
from a2c_tf.errors import ConfigError
from a2c_tf.runs.metrics import Row
from a2c_tf.runs.trackers.base import TrackedRun

log = logging.getLogger(__name__)

PARAMS_PER_CALL = 100
"""MLflow takes no more of them at once."""


class MLflow:
    """Writes rows to a run of the experiment `a2c_tf`, or the one MLFLOW_EXPERIMENT_NAME names.

    A store that fails while training is given up with a warning: the run goes on, and
    `metrics.jsonl` has all rows.

    Args:
      run: whose config and folder.
      run_id: of the run to go on with; None starts one.

    Raises:
      ConfigError: where the store cannot be reached.
    """

    def __init__(self, run: TrackedRun, run_id: str | None = None) -> None:
        self._given_up = False
        try:
            self._client = MlflowClient()
            self.id: str | None = run_id
            if run_id:
                self._client.update_run(run_id, status="RUNNING")
            else:
                self.id = _start(self._client, run)
        except MlflowException as error:
            raise ConfigError(
                f"run.trackers: mlflow: {_first_line(error)}; "
                "check MLFLOW_TRACKING_URI, or leave mlflow out of run.trackers"
            ) from None

    def write(self, row: Row) -> None:
        now, step = time.time_ns() // 1_000_000, int(row["env_steps"])
        numbers = [Metric(n, float(v), now, step) for n, v in row.items() if n != "env_steps"]
        if self._given_up:
            return
        try:
            self._client.log_batch(self.id, metrics=numbers)
        except MlflowException as error:
            self._given_up = True
            log.warning(
                "mlflow: %s; rows from step %d on are in metrics.jsonl alone",
                _first_line(error),
                step,
            )

    def close(self, failed: bool = False) -> None:
        if not self._given_up:
            self._client.set_terminated(self.id, "FAILED" if failed else "FINISHED")


def _start(client: MlflowClient, run: TrackedRun) -> str:
    """Starts a run with the settings as its params; returns its id."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "a2c_tf")
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    run_id: str = client.create_run(experiment_id, run_name=run.folder.path.name).info.run_id
    params = _params(run.config)
    for start in range(0, len(params), PARAMS_PER_CALL):
        client.log_batch(run_id, params=params[start : start + PARAMS_PER_CALL])
    return run_id


def _params(config: Config) -> list[Param]:
    return [Param(name, str(value)) for name, value in flat(config).items()]


def _first_line(error: MlflowException) -> str:
    return str(error).strip().splitlines()[0]
