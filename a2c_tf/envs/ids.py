"""The ids that each installed backend has."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping

import gymnasium

from a2c_tf.envs.host.atari import PREFIX
from a2c_tf.envs.registration import graph_native_ids

Ids = Mapping[str, set[str]]
"""what each backend has, in the order in which `env.backend=auto` asks them."""

EXTRAS = {"ale": ("ale_py", "atari"), "envpool": ("envpool", "envpool")}
"""package and extra of each backend that may be missing."""


def installed(backend: str) -> bool:
    """Returns whether the package of the backend is installed."""
    package, _ = EXTRAS.get(backend, ("gymnasium", ""))
    return importlib.util.find_spec(package) is not None


def available() -> Ids:
    """Returns the ids by backend, with nothing for a backend that is not installed."""
    ale = _ale_ids()
    return {
        "graph": set(graph_native_ids()),
        "ale": ale,
        "envpool": _envpool_ids(),
        "gymnasium": ale | _gymnasium_ids(),
    }


def all_ids() -> list[str]:
    """Returns the ids of all backends, graph-native ones first."""
    ours = graph_native_ids()
    return [*ours, *sorted(set().union(*available().values()) - set(ours))]


def _ale_ids() -> set[str]:
    if not installed("ale"):
        return set()
    gymnasium.register_envs(importlib.import_module("ale_py"))
    return {env_id for env_id in gymnasium.registry if env_id.startswith(PREFIX)}


def _gymnasium_ids() -> set[str]:
    """Returns the ids that gymnasium has by itself, without those that ale-py registers."""
    return {
        env_id
        for env_id, spec in gymnasium.registry.items()
        if not str(spec.entry_point).startswith("ale_py")
    }


def _envpool_ids() -> set[str]:
    """Returns EnvPool's ids in gymnasium's names, those of Atari games with `ALE/`."""
    if not installed("envpool"):
        return set()
    specs = importlib.import_module("envpool.registration").registry.specs
    return {
        PREFIX + name if module == "envpool.atari" else name for name, (module, *_) in specs.items()
    }
