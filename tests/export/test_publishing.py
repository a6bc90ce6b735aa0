"""An export is published as a whole or not at all, and only where nothing else lies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from a2c_tf.errors import ConfigError
from a2c_tf.runs.run_dir import RunDir
from export import exporting, formats
from export.inference import Inference
from export.parity import ParityError

Command = Callable[..., Any]
Content = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def former(cartpole: Any, tmp_path: Path) -> Path:
    """An export that is there already."""
    return Path(shutil.copytree(cartpole.folder, tmp_path / "export"))


@pytest.fixture
def corrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, one weight of every ONNX file is not what it was."""
    write_onnx = formats.write_onnx

    def write(inference: Inference, path: Path) -> None:
        write_onnx(inference, path)
        model = onnx.load(path)
        weights = max(model.graph.initializer, key=lambda one: np.prod(one.dims))
        changed = numpy_helper.to_array(weights).copy()
        changed.flat[0] += 0.1
        weights.CopyFrom(numpy_helper.from_array(changed, weights.name))
        onnx.save(model, path)

    monkeypatch.setattr(formats, "write_onnx", write)


@pytest.mark.usefixtures("corrupted")
def test_a_file_that_differs_is_not_published_and_the_former_export_stays(
    cartpole: Any, former: Path, content: Content
) -> None:
    before = content(former)
    with pytest.raises(ParityError):
        exporting.export_agent(cartpole.source, former)
    assert content(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["export"]


@pytest.mark.usefixtures("corrupted")
def test_the_command_refuses_with_exit_code_1(
    finished_run: RunDir, command: Command, tmp_path: Path
) -> None:
    outcome = command("export.__main__", finished_run.path, "--out", tmp_path / "out")
    assert outcome.code == 1
    assert outcome.mistake.startswith("export refused: ")
    assert "please report it" in outcome.mistake and "python -m" not in outcome.mistake
    assert outcome.mistake.endswith(f"config.yaml of {finished_run.path}")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("corrupted")
def test_a_run_whose_export_is_refused_keeps_all_else_and_says_how_to_export(
    finished_run: RunDir, command: Command, content: Content, tmp_path: Path
) -> None:
    run = RunDir(Path(shutil.copytree(finished_run.path, tmp_path / "run")))
    shutil.rmtree(run.export)
    run.evaluation.unlink()
    run.curves.unlink()
    outcome = command("a2c_tf.train", "--run-dir", run.path, "--resume")
    assert outcome.code == 1
    assert "return " in outcome.out and str(run.curves) in outcome.out
    assert "policy " not in outcome.out and "serve it" not in outcome.out
    last = outcome.err.splitlines()[-1]
    assert last.startswith("error: export refused: ")
    assert last.endswith(f"export it again with python -m export {run.path}")
    assert run.evaluation.is_file() and run.curves.is_file() and not run.export.exists()
    assert content(run.checkpoints).keys() == content(finished_run.checkpoints).keys()


def test_an_error_on_the_way_leaves_the_former_export(
    cartpole: Any, former: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(path: Path, described: Any) -> None:
        raise OSError("No space left on device")

    before = content(former)
    monkeypatch.setattr(exporting, "write_json", no_space)
    with pytest.raises(OSError, match="No space"):
        exporting.export_agent(cartpole.source, former, "onnx")
    assert content(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["export"]


@pytest.mark.usefixtures("corrupted")
def test_what_a_killed_export_was_replacing_is_back_where_the_next_one_is_refused(
    cartpole: Any, former: Path, content: Content
) -> None:
    before = content(former)
    former.rename(former.with_name(".export.tmp-7-old"))
    with pytest.raises(ParityError):
        exporting.export_agent(cartpole.source, former)
    assert content(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["export"]


def test_what_a_killed_export_left_goes_with_the_next_one(cartpole: Any, former: Path) -> None:
    former.rename(former.with_name(".export.tmp-7-old"))
    exporting.export_agent(cartpole.source, former, "onnx")
    assert [path.name for path in former.parent.iterdir()] == ["export"]


@pytest.mark.parametrize(
    ("which", "files"),
    [("onnx", {"policy.onnx"}), ("saved_model", {"saved_model"})],
)
def test_only_the_format_asked_for_is_written_in_place_of_the_former(
    which: str, files: set[str], finished_run: RunDir, former: Path, command: Command
) -> None:
    outcome = command("export.__main__", finished_run.path, "--out", former, "--format", which)
    assert outcome.code == 0, outcome.err
    assert {path.name for path in former.iterdir()} == {"manifest.json", *files}
    assert f"python -m serving {former}" in outcome.out


def test_the_same_checkpoint_exports_the_same_policy(
    cartpole: Any, finished_run: RunDir, command: Command, tmp_path: Path
) -> None:
    outcome = command("export.__main__", finished_run.path, "--out", tmp_path, "--format=onnx")
    assert outcome.code == 0, outcome.err
    ours, theirs = (formats.run_onnx(path / "policy.onnx") for path in (tmp_path, cartpole.folder))
    observation = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    for name, array in ours({"observation": observation}).items():
        np.testing.assert_array_equal(array, theirs({"observation": observation})[name])


def test_an_older_checkpoint_can_be_exported(
    finished_run: RunDir, command: Command, tmp_path: Path
) -> None:
    oldest = min(int(path.name[5:]) for path in finished_run.checkpoints.glob("ckpt-*"))
    out = tmp_path / "out"
    arguments = (finished_run.path, "--out", out, "--format=onnx", f"--checkpoint={oldest}")
    assert command("export.__main__", *arguments).code == 0
    described = (out / "manifest.json").read_text(encoding="utf-8")
    assert f'"env_steps": {oldest}' in described
    assert '"evaluation": null' in described  # that of the run is of another checkpoint


@pytest.mark.parametrize("name", ["notes.txt", "checkpoints/ckpt-1/model.npz"])
def test_a_folder_of_other_things_is_never_replaced(
    name: str, cartpole: Any, content: Content, tmp_path: Path
) -> None:
    precious = tmp_path / "folder" / name
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    with pytest.raises(ConfigError, match="holds other things than an export"):
        exporting.export_agent(cartpole.source, tmp_path / "folder")
    assert content(tmp_path) == {f"folder/{name}": b"mine"}


def test_the_command_tells_of_a_place_that_cannot_be_taken(
    finished_run: RunDir,
    command: Command,
    content: Content,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = content(finished_run.path)
    for out in ("file", "file/export", "/sys/a2c_tf", ".", finished_run.path):
        outcome = command("export.__main__", finished_run.path, "--out", out)
        assert outcome.code == 2
        assert outcome.mistake.startswith("export folder ")
    assert content(tmp_path) == {"file": b"mine"}
    assert content(finished_run.path) == before
