"""The trackers of a run: which there are, and how they are opened and closed together."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from a2c_tf.dependencies import install_extra
from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir
from a2c_tf.runs.metrics import Writers
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.trackers.base import TrackedRun, Tracker

CLASSES = {"tensorboard": "TensorBoard", "wandb": "WandB", "mlflow": "MLflow"}
"""by the name of the setting, which is that of the module and of the extra."""


def check_installed(names: Sequence[str]) -> None:
    """Checks that the packages of these trackers can be imported.

    Raises:
      ConfigError: naming the extra that is missing.
    """
    for name in names:
        _class(name)


@contextlib.contextmanager
def open_trackers(run: TrackedRun) -> Iterator[Writers]:
    """Opens the trackers that `run.trackers` names, those of a resumed run where they were.

    Args:
      run: its config names them, and its folder keeps their ids.

    Yields:
      All of them as one writer, which they are closed with at the end of the context.

    Raises:
      ConfigError: where one of them cannot be opened.
    """
    ids = _read_ids(run.folder)
    with contextlib.ExitStack() as stack:
        opened: list[Tracker] = []
        for name in dict.fromkeys(run.config.run.trackers):
            tracker = _class(name)(run, ids.get(name))
            stack.push(_finisher(tracker))
            opened.append(tracker)
            if tracker.id and tracker.id != ids.get(name):
                ids[name] = tracker.id
                run.folder.trackers.mkdir(exist_ok=True)
                run_dir.write_json(run.folder.tracker_ids, ids)
        yield Writers(*opened)


def _finisher(tracker: Tracker) -> Callable[..., None]:
    def finish(error: type[BaseException] | None, *_: Any) -> None:
        tracker.close(failed=error is not None)

    return finish


def _class(name: str) -> Callable[[TrackedRun, str | None], Tracker]:
    try:
        module = importlib.import_module(f"a2c_tf.runs.trackers.{name}")
    except ImportError as error:
        raise ConfigError(
            f"run.trackers: received {name}, which is not installed ({error}); "
            f"{install_extra(name)}, or leave it out of run.trackers"
        ) from None
    found: Callable[[TrackedRun, str | None], Tracker] = getattr(module, CLASSES[name])
    return found


def _read_ids(folder: RunDir) -> dict[str, str]:
    if not folder.tracker_ids.is_file():
        return {}
    ids: dict[str, str] = json.loads(folder.tracker_ids.read_text(encoding="utf-8"))
    return ids
