"""What a run's environments observed, kept for the exports to come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from a2c_tf.runs.atomic_files import replacing, sync_folder, synced
from a2c_tf.types import ObservedSteps


def save(path: Path, observed: ObservedSteps) -> None:
    """Writes the steps to an `.npz` file, whole or not at all."""
    arrays: dict[str, Any] = {f"array_{i}": array for i, array in enumerate(observed.arrays)}
    if observed.action_mask is not None:
        arrays["action_mask"] = observed.action_mask
    with replacing(path) as temporary, synced(temporary) as file:
        np.savez_compressed(file, last=observed.last, **arrays)
    sync_folder(path.parent)


def load(path: Path) -> ObservedSteps | None:
    """Returns the steps in the file; None where there is none."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        count = sum(name.startswith("array_") for name in file)
        arrays = tuple(file[f"array_{i}"] for i in range(count))
        return ObservedSteps(arrays, file["last"], file.get("action_mask"))
