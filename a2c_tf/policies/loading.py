"""From a folder to a policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from a2c_tf import cli
from a2c_tf.errors import CommandError, ExitCode
from a2c_tf.policies.policy import Policy

MODEL_FILE, MANIFEST_FILE = "policy.onnx", "manifest.json"


class PolicyError(CommandError):
    """There is no policy to be loaded, or it is damaged."""

    exit_code = ExitCode.NO_CHECKPOINT


def load(folder: str | Path, checkpoint: str | int | None = None) -> Policy:
    """Loads a trained policy, by onnxruntime alone where there is an export.

    An export is verified first: against the SHA-256 and the golden samples of its manifest.

    Args:
      folder: a run's folder, an export folder, or a `policy.onnx`.
      checkpoint: of a run: `best`, `last` or a number of environment steps, which TensorFlow
        computes; None: the run's export, or its last checkpoint where it has none.

    Returns:
      The policy, at the start of an episode.

    Raises:
      PolicyError: where there is no policy, or it is damaged.
      CheckpointError: where the run has no such checkpoint.
    """
    path = Path(folder)
    is_run = (path / "config.yaml").is_file()
    if checkpoint is not None and not is_run:
        raise PolicyError(
            f"checkpoint {checkpoint}: {path} is no run's folder; expected one, or no checkpoint"
        )
    if is_run and checkpoint is None and (path / "export" / MODEL_FILE).is_file():
        return _load_export(path / "export")
    if is_run:
        return _load_checkpoint(path, "last" if checkpoint is None else str(checkpoint))
    return _load_export(path)


def _load_export(path: Path) -> Policy:
    from serving.errors import ModelError
    from serving.loading import find_files, load_policy

    try:
        files = find_files(path)
        model = load_policy(path, name=None)
        manifest = _read(files.manifest) if files.manifest else None
    except ModelError as error:
        raise PolicyError(str(error)) from None
    return Policy(model, manifest)


def _read(manifest: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return content


def _load_checkpoint(path: Path, selector: str) -> Policy:
    cli.import_tensorflow()
    from a2c_tf.policies.network import load_network

    return Policy(*load_network(path, selector))
