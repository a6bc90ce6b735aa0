"""A folder or file that is replaced is the old one or the new one, whatever stops that."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from a2c_tf.runs import atomic_files

Content = Callable[[Path], dict[str, bytes]]


def make_folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "file").write_text(text)
    return path


@pytest.fixture(params=["best", "export[1]"])
def final(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_folder(tmp_path / request.param, "old")


def beside(final: Path, ending: str) -> Path:
    return final.with_name(f".{final.name}.{ending}")


def test_a_folder_takes_the_place_of_another(final: Path, content: Content) -> None:
    atomic_files.replace_folder(make_folder(beside(final, "tmp-1"), "new"), final)
    assert content(final.parent) == {f"{final.name}/file": b"new"}


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(final: Path, content: Content) -> None:
    with pytest.raises(FileNotFoundError):
        atomic_files.replace_folder(beside(final, "tmp-1"), final)
    assert content(final.parent) == {f"{final.name}/file": b"old"}


@pytest.mark.parametrize("killed", [1, 2])
def test_what_a_killed_process_was_replacing_outlives_another_failure(
    final: Path, killed: int, content: Content
) -> None:
    """Of that process, or of another with its number."""
    final.rename(beside(final, f"tmp-{killed}-old"))
    with pytest.raises(FileNotFoundError):
        atomic_files.replace_folder(beside(final, "tmp-1"), final)
    assert content(final.parent) == {f"{final.name}/file": b"old"}
    atomic_files.replace_folder(make_folder(beside(final, "tmp-1"), "new"), final)
    assert [path.name for path in final.parent.iterdir()] == [final.name]


def test_what_was_replaced_is_not_put_back_in_place_of_its_successor(
    final: Path, content: Content
) -> None:
    make_folder(beside(final, "tmp-1-old"), "older")
    atomic_files.restore_replaced(final.parent, "*")
    assert content(final.parent) == {f"{final.name}/file": b"old"}


def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Content
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError("No space left on device")

    path = tmp_path / "file.json"
    atomic_files.write_text(path, "old")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        atomic_files.write_text(path, "new")
    assert content(tmp_path) == {"file.json": b"old"}


def test_a_file_is_on_the_disk_before_its_name_and_that_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced, fsync = tmp_path / "file.json", [], os.fsync

    def note(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    atomic_files.write_text(path, "text")
    assert synced == [(False, False), (True, True)]
