"""Environments: computed in the graph, or stepped on the host, behind one contract.

    import a2c_tf.envs

    class MyGame(a2c_tf.envs.GraphEnvironment): ...

    a2c_tf.envs.register("MyGame-v0", MyGame)

TensorFlow is imported with `GraphEnvironment`, not before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from a2c_tf.envs.registration import register

if TYPE_CHECKING:
    from a2c_tf.envs.base import GraphEnvironment

__all__ = ["GraphEnvironment", "register"]


def __getattr__(name: str) -> Any:
    """Imports the module that has TensorFlow when it is asked for."""
    if name == "GraphEnvironment":
        return importlib.import_module("a2c_tf.envs.base").GraphEnvironment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
