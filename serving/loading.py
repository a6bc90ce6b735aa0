"""Loads a policy from a path and verifies it against its manifest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from serving.errors import ModelError
from serving.golden import check_golden
from serving.manifest import Manifest, read_manifest
from serving.policy import Policy
from serving.tensors import TensorSpec, signature

MODEL_FILE = "policy.onnx"
MANIFEST_FILE = "manifest.json"
DEFAULT_NAME = "policy"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ExportFiles(NamedTuple):
    """Where a model lies, and its manifest if it has one."""

    model: Path
    manifest: Path | None


def load_policy(path: Path, name: str | None) -> Policy:
    """Loads the policy of an export folder or an ONNX file, verified against its manifest.

    Args:
      path: a folder with `policy.onnx` and `manifest.json`, or an ONNX file, whose manifest lies
        beside it if there is one.
      name: under which it is served; the manifest's, or "policy", if None.

    Raises:
      ModelError: where a file is missing or unreadable, or differs from the manifest.
    """
    files = find_files(path)
    try:
        model = files.model.read_bytes()
        manifest = read_manifest(files.manifest) if files.manifest else None
    except OSError as error:
        raise ModelError(f"{error.filename}: {error.strerror}") from None
    if manifest:
        _check_digest(model, manifest.onnx_sha256, files)
    try:
        distribution = manifest.action_distribution if manifest else None
        policy = Policy(_served_name(name, manifest), model, distribution)
        if manifest:
            _check_specs("inputs", policy.inputs.values(), manifest.inputs)
            _check_specs("outputs", policy.outputs.values(), manifest.outputs)
            check_golden(policy, manifest.golden, manifest.tolerance)
    except ModelError as error:
        raise ModelError(f"{files.model}: {error}") from None
    return policy


def find_files(path: Path) -> ExportFiles:
    """Returns the files of an export folder, or of the model at `path`.

    Raises:
      ModelError: for a path that is neither.
    """
    if path.is_dir():
        files = ExportFiles(path / MODEL_FILE, path / MANIFEST_FILE)
        for file in (path / MODEL_FILE, path / MANIFEST_FILE):
            if not file.is_file():
                raise ModelError(f"{file}: not found; expected a folder that export wrote")
        return files
    if not path.is_file():
        raise ModelError(f"{path}: not found; expected an export folder or a {MODEL_FILE}")
    manifest = path.with_name(MANIFEST_FILE)
    return ExportFiles(path, manifest if manifest.is_file() else None)


def _served_name(name: str | None, manifest: Manifest | None) -> str:
    chosen = name or (manifest.name if manifest else DEFAULT_NAME)
    if not NAME.fullmatch(chosen):
        raise ModelError(
            f"model name {chosen!r}: expected at most 64 letters, digits, '.', '_' and '-'; "
            "choose one with --name"
        )
    return chosen


def _check_digest(model: bytes, expected: str, files: ExportFiles) -> None:
    received = hashlib.sha256(model).hexdigest()
    if received != expected.lower():
        raise ModelError(
            f"{files.model}: SHA-256 is {received}, {files.manifest} says {expected}; "
            "the file is damaged or from another export"
        )


def _check_specs(kind: str, model: Iterable[TensorSpec], manifest: Iterable[TensorSpec]) -> None:
    in_model, in_manifest = sorted(map(signature, model)), sorted(map(signature, manifest))
    if in_model != in_manifest:
        raise ModelError(
            f"the model has {kind} {', '.join(in_model)}; "
            f"its manifest says {', '.join(in_manifest) or f'no {kind}'}; export the run again"
        )
