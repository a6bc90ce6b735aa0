"""What the phases of one run share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from a2c_tf.config import Config
from a2c_tf.runs.progress import Status
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training.reporter import Reporter
from a2c_tf.training.trainer import Trainer


class RunContext(NamedTuple):
    """A run under way."""

    trainer: Trainer
    config: Config
    folder: RunDir
    interrupted: Callable[[], bool]
    """asked now and then whether to save and stop."""
    reporter: Reporter
    """shows how the run goes."""
    status: Status
    """shows what it is doing where that is not training."""
    started: float
    """`time.perf_counter()` when it began."""
