"""A run's folder: its paths, and writes that are whole or do not happen."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from a2c_tf.config import Config, load, to_yaml
from a2c_tf.errors import ConfigError
from a2c_tf.runs.atomic_files import write_text
from a2c_tf.runs.run_lock import reserve


class RunDir:
    """The names in a run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self.trackers = path / "trackers"
        self.tracker_ids = self.trackers / "ids.json"
        self.evaluation = path / "evaluation.json"
        self.observed = path / "observations.npz"
        self.curves = path / "curves.png"
        self.export = path / "export"

    @property
    def written(self) -> tuple[Path, ...]:
        """Every path that a run writes; the config, which makes it a run, last."""
        folders = (self.checkpoints, self.tensorboard, self.trackers, self.export)
        files = (self.metrics, self.evaluation, self.observed, self.curves, self.config)
        return (*folders, *files)


def default_path(config_name: str, seed: int) -> Path:
    """Returns `runs/<config>-<seed>-<time>`, a new folder that no other run gets.

    Of runs that started in the same second the second gets `<time>-2`, and so on.

    Args:
      config_name: name or path of the config.
      seed: of the run.

    Raises:
      ConfigError: where it cannot be made.
    """
    name = f"{Path(config_name).stem}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    return reserve(Path("runs") / name)


def check_free(path: Path, overwrite: bool) -> None:
    """Checks that a new run may be written to `path`.

    Raises:
      ConfigError: where it holds a run that is not to be overwritten, or other things under a
        run's names, or is a file.
    """
    folder = RunDir(path)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"run folder {path}: is a file; expected a folder or a new name")
    others = [file.name for file in folder.written if file.exists()]
    if others and not folder.config.is_file():
        raise ConfigError(
            f"run folder {path}: holds {', '.join(others)}, but no config.yaml of a run; "
            "name another folder"
        )
    if others and not overwrite:
        raise ConfigError(
            f"run folder {path}: already holds a run; "
            "add --resume to go on with it, or --overwrite to delete it and start again"
        )


def create(path: Path, config: Config, overwrite: bool = False) -> RunDir:
    """Makes the folder of a new run and writes its config.

    Args:
      path: of the folder.
      config: all settings of the run.
      overwrite: whether a run that is there is deleted first.

    Returns:
      The folder's names.

    Raises:
      ConfigError: where it cannot be written, or another run began there meanwhile.
    """
    run_dir = RunDir(path)
    try:
        if overwrite:
            _clear(run_dir)
        path.mkdir(parents=True, exist_ok=True)
        _claim(run_dir)
        write_config(run_dir, config)
        run_dir.checkpoints.mkdir()
    except OSError as error:
        raise ConfigError(
            f"run folder {path}: {error.strerror}; name one that can be written with --run-dir"
        ) from None
    return run_dir


def write_config(run_dir: RunDir, config: Config) -> None:
    """Writes every setting, from which the same run can be started again."""
    write_text(run_dir.config, to_yaml(config))


def open_existing(path: Path) -> tuple[RunDir, Config]:
    """Returns the folder of a run that was started, and its config.

    Raises:
      ConfigError: where `path` holds no run, or its config has settings of an older version.
    """
    run_dir = RunDir(path)
    if not run_dir.config.is_file():
        raise ConfigError(
            f"run folder {path}: holds no run (no config.yaml); "
            "expected a folder that `python -m a2c_tf.train` wrote"
        )
    return run_dir, load(str(run_dir.config))


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Returns the rows of a `metrics.jsonl` up to one that a crash cut short."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def read_evaluation(run_dir: RunDir, env_steps: int) -> dict[str, Any] | None:
    """Returns the evaluation of the checkpoint at `env_steps`, None where the run has none."""
    if not run_dir.evaluation.is_file():
        return None
    evaluation: dict[str, Any] = json.loads(run_dir.evaluation.read_text(encoding="utf-8"))
    return evaluation if evaluation["env_steps"] == env_steps else None


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _claim(run_dir: RunDir) -> None:
    """Makes the folder this run's, which only one can: another may have started as it did."""
    try:
        run_dir.config.touch(exist_ok=False)
    except FileExistsError:
        raise ConfigError(
            f"run folder {run_dir.path}: another run has just begun there; name another folder"
        ) from None


def _clear(run_dir: RunDir) -> None:
    """Removes what a run writes and nothing else."""
    for path in run_dir.written:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
