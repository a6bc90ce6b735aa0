"""An export as a whole: files, parity gate, manifest; published together or not at all."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

import numpy as np

from a2c_tf.errors import ConfigError
from a2c_tf.runs.atomic_files import replace_folder, restore_replaced
from a2c_tf.runs.run_dir import write_json
from export import float64, formats, rounding
from export.inference import Inference, Inputs
from export.manifest import Golden, Source, describe
from export.parity import Parity, check
from export.rounding import Reference, row_steps
from export.samples import collect_samples, count_of, invented, rows_of

ONNX_FILE, SAVED_MODEL, MANIFEST = "policy.onnx", "saved_model", "manifest.json"
GOLDEN_SAMPLES = 4
NOT_COMPARED = Parity(0, (), {}, {}, {})


def export_agent(source: Source, out: Path, which: str = "all") -> Parity:
    """Writes an agent to the folder `out`, in place of what it held.

    Args:
      source: the agent, and where it comes from.
      out: the folder, made or replaced as a whole.
      which: `onnx`, `saved_model` or `all`.

    Returns:
      How far apart the answers of files and network were.

    Raises:
      ParityError: where a file does not act as the agent; `out` stays as it was.
      ConfigError: where `out` cannot be made, or holds other things than an export.
    """
    restore_replaced(out.resolve().parent, glob.escape(out.resolve().name))
    temporary = _make_temporary(out.resolve())
    try:
        parity = _write_checked(source, temporary, which)
        replace_folder(temporary, out.resolve())
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return parity


def rehearse(source: Source, out: Path, which: str = "all") -> None:
    """Writes the files, runs each of them and describes them, all but the comparison of an export.

    What would fail after training fails at once.

    Args:
      source: whose agent is not yet trained.
      out: the folder of the export to come, which stays as it is.
      which: `onnx`, `saved_model` or `all`.

    Raises:
      ConfigError: where `out` cannot be made, or holds other things than an export.
    """
    temporary = _make_temporary(out.resolve())
    try:
        inference = Inference(source.agent)
        inputs = rows_of(invented(source.agent, inference), slice(2))
        for run in _write(inference, temporary, which).values():
            run(inputs)
        golden = Golden(inputs, inference(inputs), {})
        write_json(temporary / MANIFEST, describe(source, NOT_COMPARED, golden, None))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _make_temporary(out: Path) -> Path:
    """An empty folder beside `out`, which it is to replace."""
    ours = {ONNX_FILE, SAVED_MODEL, MANIFEST}
    if out.exists() and not (out.is_dir() and {path.name for path in out.iterdir()} <= ours):
        raise ConfigError(f"export folder {out}: holds other things than an export; name a new one")
    temporary = out.with_name(f".{out.name}.tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"export folder {out}: {error.strerror}; name another one") from None
    return temporary


def _write_checked(source: Source, folder: Path, which: str) -> Parity:
    inference = Inference(source.agent)
    files = _write(inference, folder, which)
    samples = collect_samples(source.agent, inference, source.config, source.observed)
    references = rounding.references(float64.trace(inference), samples)
    parity = check(inference, files, samples, references, source.agent.distribution)
    onnx_file = folder / ONNX_FILE if "onnx" in files else None
    golden = _golden(inference, samples.real, references[0], parity)
    described = describe(source, parity, golden, onnx_file)
    write_json(folder / MANIFEST, described)
    return parity


def _write(inference: Inference, folder: Path, which: str) -> dict[str, formats.Runner]:
    """The files asked for, each as a function that runs it from disk."""
    files: dict[str, formats.Runner] = {}
    if which in ("all", "onnx"):
        formats.write_onnx(inference, folder / ONNX_FILE)
        files["onnx"] = formats.run_onnx(folder / ONNX_FILE)
    if which in ("all", "saved_model"):
        formats.write_saved_model(inference, folder / SAVED_MODEL)
        files["saved_model"] = formats.run_saved_model(folder / SAVED_MODEL)
    return files


def _golden(inference: Inference, real: Inputs, reference: Reference, parity: Parity) -> Golden:
    """A few of the real inputs, and how far the answers to them may be off."""
    rows = np.arange(GOLDEN_SAMPLES) * (count_of(real) // GOLDEN_SAMPLES)
    chosen = {name: array[rows] for name, array in real.items()}
    tolerance = {
        name: float(steps * row_steps(reference, name)[rows].max())
        for name, steps in parity.allowed_steps.items()
    }
    return Golden(chosen, inference(chosen), tolerance)
