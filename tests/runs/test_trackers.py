"""Trackers: what each receives, where a resumed run goes on, and what a missing package says."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from a2c_tf import config
from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir
from a2c_tf.runs.metrics import Row
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.trackers.base import TrackedRun
from a2c_tf.runs.trackers.opening import check_installed, open_trackers


def row(env_steps: int, **more: float) -> dict[str, Any]:
    return {"env_steps": env_steps, "loss/policy": 0.5, "loss/value": 0.25, **more}


def make_run(path: Path, *trackers: str, rows: tuple[Row, ...] = ()) -> TrackedRun:
    """A run whose folder is there, with these trackers and earlier rows."""
    settings = config.load("cartpole", [f"run.trackers=[{', '.join(trackers)}]"])
    folder = RunDir(path)
    if not folder.config.exists():
        run_dir.create(path, settings)
    return TrackedRun(settings, folder, rows)


def track(run: TrackedRun, *rows: Row) -> None:
    with open_trackers(run) as trackers:
        for one in rows:
            trackers.write(one)


def events_of(run: TrackedRun) -> EventAccumulator:
    return EventAccumulator(str(run.folder.tensorboard), size_guidance={"tensors": 0}).Reload()


def scalars(run: TrackedRun, tag: str) -> list[tuple[int, float]]:
    events = events_of(run).Tensors(tag)
    return [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in events]


def test_tensorboard_holds_the_scalars_by_steps(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "tensorboard")
    track(run, row(100, updates=3), row(200, updates=6), row(300, **{"eval/return": 7.0}))
    assert scalars(run, "updates") == [(100, 3.0), (200, 6.0)]
    assert scalars(run, "eval/return") == [(300, 7.0)]
    assert scalars(run, "loss/value") == [(100, 0.25), (200, 0.25), (300, 0.25)]


def test_tensorboard_goes_on_from_the_rows_that_were_kept(tmp_path: Path) -> None:
    """What was written after the checkpoint that a run resumes from is not there twice."""
    kept = (row(100, updates=3), row(200, updates=6))
    track(make_run(tmp_path / "run", "tensorboard"), *kept, row(300, updates=9))
    resumed = make_run(tmp_path / "run", "tensorboard", rows=kept)
    track(resumed, row(300, updates=10))
    assert scalars(resumed, "updates") == [(100, 3.0), (200, 6.0), (300, 10.0)]


def test_tensorboard_holds_the_config_as_text_and_every_setting_as_hparam(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "tensorboard")
    track(run)
    events = events_of(run)
    (text,) = tf.make_ndarray(events.Tensors("config")[0].tensor_proto).reshape(-1)
    assert text.decode() == f"```yaml\n{config.to_yaml(run.config)}```"
    metadata = events.summary_metadata["_hparams_/session_start_info"]
    content = HParamsPluginData.FromString(metadata.plugin_data.content)
    shown = content.session_start_info.hparams
    assert set(shown) == set(config.flat(run.config))
    assert shown["a2c.gamma"].number_value == 0.99
    assert shown["env.id"].string_value == "CartPole-v1"
    assert shown["env.max_episode_steps"].string_value == "None"
    assert shown["run.eval_deterministic"].bool_value is True


def test_without_trackers_nothing_is_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    track(run, row(100))
    assert {path.name for path in run.folder.path.iterdir()} == {"config.yaml", "checkpoints"}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_line_that_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"a2c_tf.runs.trackers.{name}", raising=False)
    with pytest.raises(ConfigError) as raised:
        check_installed(["tensorboard", name])
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"run.trackers: received {name}, which is not installed (")
    assert f"pip install '{name}" in line


def test_a_folder_of_the_users_named_wandb_is_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As wandb itself leaves it where a run was started: an empty module to Python."""
    monkeypatch.setitem(sys.modules, "wandb", types.ModuleType("wandb"))
    monkeypatch.delitem(sys.modules, "a2c_tf.runs.trackers.wandb", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'wandb"):
        check_installed(["wandb"])


class Failing:
    """A tracker that notes how it was closed."""

    id = None
    closed: list[bool]

    def __init__(self, run: TrackedRun, run_id: str | None) -> None:
        Failing.closed = []

    def write(self, row: Row) -> None:
        """Takes a row."""

    def close(self, failed: bool = False) -> None:
        Failing.closed.append(failed)


@pytest.mark.parametrize("failed", [False, True])
def test_a_tracker_is_closed_once_and_learns_whether_the_run_failed(
    failed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("a2c_tf.runs.trackers.tensorboard.TensorBoard", Failing)
    run = make_run(tmp_path / "run", "tensorboard", "tensorboard")
    try:
        with open_trackers(run):
            if failed:
                raise KeyError
    except KeyError:
        pass
    assert Failing.closed == [failed]


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """wandb without a network, and without its service once the test is over."""
    import wandb

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    yield
    wandb.teardown()


@pytest.mark.process
def test_wandb_offline_keeps_the_rows_and_a_resumed_run_its_id(
    offline: None, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", "wandb")
    track(run, row(100), row(200))
    first = json.loads(run.folder.tracker_ids.read_text(encoding="utf-8"))["wandb"]
    track(run, row(300))
    assert json.loads(run.folder.tracker_ids.read_text(encoding="utf-8")) == {"wandb": first}
    files = list(run.folder.trackers.glob("wandb/offline-run-*/run-*.wandb"))
    assert {file.name for file in files} == {f"run-{first}.wandb"}
    content = b"".join(file.read_bytes() for file in files)
    for written in (b"loss/policy", b"env_steps", b"CartPole-v1", b"a2c_tf"):
        assert written in content


@pytest.mark.process
def test_wandb_without_a_login_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    run = make_run(tmp_path / "run", "wandb")
    try:
        with pytest.raises(ConfigError) as raised, open_trackers(run):
            pytest.fail("opened")
    finally:
        wandb.teardown()
    assert str(raised.value).startswith("run.trackers: wandb: ")
    assert str(raised.value).endswith("; run wandb login, or set WANDB_MODE=offline")
    assert len(str(raised.value).splitlines()) == 1


ignore_sqlalchemy = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:sqlalchemy", "ignore:The ``noload`` loader:DeprecationWarning"
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of MLflow's own store in a file."""
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return address


@ignore_sqlalchemy
def test_mlflow_holds_params_and_rows_and_a_resumed_run_goes_on(store: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    run = make_run(tmp_path / "run", "mlflow")
    track(run, row(100), row(200))
    track(run, row(300, **{"eval/return": 9.0}))
    client = MlflowClient()
    experiment = client.get_experiment_by_name("a2c_tf")
    (found,) = client.search_runs([experiment.experiment_id])
    assert json.loads(run.folder.tracker_ids.read_text(encoding="utf-8")) == {
        "mlflow": found.info.run_id
    }
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    assert found.data.params == {n: str(v) for n, v in config.flat(run.config).items()}
    history = client.get_metric_history(found.info.run_id, "loss/value")
    assert [(one.step, one.value) for one in history] == [(100, 0.25), (200, 0.25), (300, 0.25)]
    assert found.data.metrics["eval/return"] == 9.0
    with pytest.raises(KeyError), open_trackers(run):
        assert client.get_run(found.info.run_id).info.status == "RUNNING"
        raise KeyError
    assert client.get_run(found.info.run_id).info.status == "FAILED"


@ignore_sqlalchemy
def test_a_store_that_fails_while_training_is_given_up_with_one_warning(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def fail(*_: Any, **__: Any) -> None:
        raise MlflowException("the store is gone\nand more")

    run = make_run(tmp_path / "run", "mlflow")
    with open_trackers(run) as trackers:
        trackers.write(row(100))
        monkeypatch.setattr(MlflowClient, "log_batch", fail)
        trackers.write(row(200))
        trackers.write(row(300))
    (warning,) = (r.getMessage() for r in caplog.records if r.name.startswith("a2c_tf"))
    assert warning == "mlflow: the store is gone; rows from step 200 on are in metrics.jsonl alone"


@ignore_sqlalchemy
def test_a_store_that_cannot_be_opened_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    with pytest.raises(ConfigError) as raised, open_trackers(make_run(tmp_path / "run", "mlflow")):
        pytest.fail("opened")
    (line,) = str(raised.value).splitlines()
    assert line.startswith("run.trackers: mlflow: ")
    assert line.endswith("; check MLFLOW_TRACKING_URI, or leave mlflow out of run.trackers")
