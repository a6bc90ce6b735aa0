"""From a path to a policy that is what its manifest says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serving.errors import InvalidInputError, ModelError
from serving.manifest import GoldenSample, Manifest, read_manifest
from serving.policy import Policy, PolicyOutput
from serving.tensors import TensorSpec, decode_row

MODEL_FILE = "policy.onnx"
MANIFEST_FILE = "manifest.json"
DEFAULT_NAME = "policy"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TOLERANCE = 1e-4
"""absolute and relative, of golden logits and values."""


class ExportFiles(NamedTuple):
    """Where a model lies, and its manifest if it has one."""

    model: Path
    manifest: Path | None


def load_policy(path: Path, name: str | None) -> Policy:
    """The policy of an export folder or an ONNX file, verified against its manifest.

    Args:
      path: a folder with `policy.onnx` and `manifest.json`, or an ONNX file, whose manifest lies
        beside it if there is one.
      name: under which it is served; the manifest's, or "policy", if None.

    Raises:
      ModelError: where a file is missing or unreadable, or is not what the manifest says.
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
        policy = Policy(_served_name(name, manifest), model)
        if manifest:
            _check_signature(policy, manifest)
            _check_golden(policy, manifest.golden)
    except ModelError as error:
        raise ModelError(f"{files.model}: {error}") from None
    return policy


def find_files(path: Path) -> ExportFiles:
    """The files of an export folder, or of the model at `path`.

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


def _check_signature(policy: Policy, manifest: Manifest) -> None:
    _check_specs("inputs", (policy.observation,), manifest.inputs)
    _check_specs("outputs", policy.outputs, manifest.outputs)


def _check_specs(kind: str, model: tuple[TensorSpec, ...], manifest: list[TensorSpec]) -> None:
    in_model, in_manifest = sorted(map(_signature, model)), sorted(map(_signature, manifest))
    if in_model != in_manifest:
        raise ModelError(
            f"the model has {kind} {', '.join(in_model)}; "
            f"its manifest says {', '.join(in_manifest) or 'none'}; export the run again"
        )


def _signature(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.dtype} {list(spec.shape)}"


def _check_golden(policy: Policy, samples: list[GoldenSample]) -> None:
    for index, sample in enumerate(samples):
        try:
            output = policy.run(decode_row(bytes(sample.observation), policy.observation))
        except InvalidInputError as error:
            raise ModelError(f"golden sample {index} of its manifest: {error}") from None
        if not _reproduced(output, sample):
            raise ModelError(
                f"gives {_first_row(output)} for golden sample {index}, its manifest says "
                f"action {sample.action}, logits {sample.logits}, value {sample.value}; "
                "export the run again"
            )


def _reproduced(output: PolicyOutput, sample: GoldenSample) -> bool:
    action, logits, value = int(output.action[0]), output.logits[0], output.value[0]
    return (
        len(sample.logits) == len(logits)
        and np.allclose(logits, sample.logits, rtol=TOLERANCE, atol=TOLERANCE)
        and np.allclose(value, sample.value, rtol=TOLERANCE, atol=TOLERANCE)
        and (action == sample.action or _is_tied(sample, action))
    )


def _is_tied(sample: GoldenSample, action: int) -> bool:
    """Whether rounding decides between that action and the sample's."""
    return (
        0 <= sample.action < len(sample.logits)
        and abs(sample.logits[sample.action] - sample.logits[action]) <= TOLERANCE
    )


def _first_row(output: PolicyOutput) -> str:
    return f"action {output.action[0]}, logits {output.logits[0].tolist()}, value {output.value[0]}"
