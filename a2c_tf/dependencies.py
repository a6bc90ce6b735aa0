"""The packages of others that a2c_tf needs: what to install where one is missing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from a2c_tf import invocation

REQUIRED = (
    "keras>=3.15,<3.16",
    "gymnasium>=1.4,<1.5",
    "msgspec>=0.21,<1",
    "numpy>=2,<3",
    "tf2onnx>=1.17,<1.18",
    "onnx>=1.21,<2",
    "onnxruntime>=1.31,<2",
    "tensorboard>=2.20,<3",
    "pydantic>=2.12,<3",
    "ruamel.yaml>=0.18,<0.20",
    "rich>=14,<16",
    "matplotlib>=3.10,<4",
    "pillow>=12,<14",
)
"""what `pip install .` installs."""

EXTRAS = {
    "tensorflow": ("tensorflow>=2.21,<2.22",),
    "tensorflow-cpu": ("tensorflow-cpu>=2.21,<2.22",),
    "atari": ("ale-py>=0.12,<0.13", "opencv-python-headless>=4"),
    "envpool": ("envpool>=1.2,<2",),
    "video": ("imageio-ffmpeg>=0.6,<1",),
    "wandb": ("wandb>=0.20,<1",),
    "mlflow": ("mlflow-skinny>=3,<4", "sqlalchemy>=2,<3", "alembic>=1.13,<2"),
}
"""extra -> what it adds. setup.cfg holds these and `REQUIRED` once more."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "ale_py": "ale-py",
    "cv2": "opencv-python-headless",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "ruamel": "ruamel.yaml",
}
"""module -> the package that has it, where the names differ."""


def missing(error: ModuleNotFoundError) -> str | None:
    """Returns what to install for a failed import, or None where the module is no package of these.

    Args:
      error: of the import.
    """
    module = (error.name or "").partition(".")[0]
    distribution = DISTRIBUTIONS.get(module, module)
    for requirements in (*EXTRAS.values(), *((requirement,) for requirement in REQUIRED)):
        if distribution in map(_name, requirements):
            return f"{distribution} is not installed; {_command(requirements)}"
    return None


def install_extra(extra: str) -> str:
    """Returns the command that installs what an extra adds.

    It names the packages and not the extra, since no package index has us.
    """
    return _command(EXTRAS[extra])


def _command(requirements: Sequence[str]) -> str:
    command = f"{invocation.python()} -m pip install {shlex.join(requirements)}"
    if requirements != EXTRAS["tensorflow"]:
        return command
    return f"{command}, or {shlex.join(EXTRAS['tensorflow-cpu'])}, which has no support of GPUs"


def _name(requirement: str) -> str:
    return requirement.partition(">")[0]
