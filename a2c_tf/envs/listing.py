"""Which environments there are, by which backends, as text."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import re
import warnings
from collections.abc import Iterable, Mapping

import gymnasium

from a2c_tf.config import EnvConfig
from a2c_tf.dependencies import install_extra
from a2c_tf.envs.host.atari import PREFIX
from a2c_tf.envs.listing_table import UNKNOWN, Listed, leaves_open, table
from a2c_tf.envs.registry import EXTRAS, GRAPH_NATIVE, installed, make_spec
from a2c_tf.errors import CommandError, ConfigError
from a2c_tf.types import EnvSpec

MADE_AT_MOST = 20
EXPLANATION = (
    f"{UNKNOWN}  is not known: environments outside of the graph are made to learn it, "
    f"where a filter finds {MADE_AT_MOST} of them or fewer"
)
EXPLANATION_OF_MADE = f"{UNKNOWN}  is not known; under backends: it cannot be made here"
SUGGESTIONS, LIKENESS = 3, 0.7

Ids = Mapping[str, set[str]]
"""what each backend has, in the order in which `env.backend=auto` asks them."""


def overview() -> str:
    """Returns a table of the graph-native environments, and the backends on the host."""
    ids = available()
    return "\n".join(
        [
            table(_listed(env_id, ids) for env_id in GRAPH_NATIVE),
            "",
            "env.backend=auto takes the first of the backends. On the host:",
            *_host_backends(ids),
        ]
    )


def matching(part: str) -> str:
    """Returns a table of all environments whose ids contain `part`, in upper or lower case.

    Raises:
      ConfigError: where no id does.
    """
    ids = available()
    others = sorted(set().union(*ids.values()) - GRAPH_NATIVE.keys())
    known = [*GRAPH_NATIVE, *others]
    found = [env_id for env_id in known if part.lower() in env_id.lower()]
    if not found:
        near = ", ".join(nearest(part, known))
        hint = f"did you mean {near}?" if near else f"Atari games have {PREFIX}, MinAtar's MinAtar/"
        raise ConfigError(f"filter {part}: no installed backend has an id that contains it; {hint}")
    on_host = set(found) - GRAPH_NATIVE.keys()
    if len(on_host) > MADE_AT_MOST:
        return f"{table(_listed(env_id, ids) for env_id in found)}\n\n{EXPLANATION}"
    rows = [_made(env_id, ids) if env_id in on_host else _listed(env_id, ids) for env_id in found]
    notes = [EXPLANATION_OF_MADE] if any(map(leaves_open, rows)) else []
    notes += [failure for row in rows for failure in row.failures]
    return "\n".join([table(rows), *([""] if notes else []), *notes])


def available() -> Ids:
    """Returns the ids by backend, with nothing for a backend that is not installed."""
    ale = _ale_ids()
    return {
        "graph": set(GRAPH_NATIVE),
        "ale": ale,
        "envpool": _envpool_ids(),
        "gymnasium": ale | _gymnasium_ids(),
    }


def nearest(part: str, ids: Iterable[str]) -> list[str]:
    """Returns ids whose names, without namespace and version, are most like that of `part`."""
    by_name: dict[str, list[str]] = {}
    for env_id in ids:
        by_name.setdefault(_bare(env_id), []).append(env_id)
    names = difflib.get_close_matches(_bare(part), by_name, SUGGESTIONS, LIKENESS)
    return [env_id for name in names for env_id in by_name[name]][:SUGGESTIONS]


def _listed(env_id: str, ids: Ids) -> Listed:
    backends = tuple(backend for backend in ids if env_id in ids[backend])
    if env_id in GRAPH_NATIVE:
        spec = _spec(env_id, "graph")
        return Listed(env_id, backends, spec, spec.max_episode_steps)
    registered = gymnasium.registry.get(env_id)
    return Listed(env_id, backends, None, registered.max_episode_steps if registered else None)


def _made(env_id: str, ids: Ids) -> Listed:
    """Returns an environment outside of the graph, by each backend that can make it."""
    listed = _listed(env_id, ids)
    specs, failures = {}, []
    for backend in listed.backends:
        try:
            specs[backend] = _spec(env_id, backend)
        except CommandError as error:
            reason = str(error).removeprefix(f"env.id={env_id}: ")
            failures.append(f"{env_id} by {backend}: {reason}")
    if not specs:
        return listed._replace(backends=(), failures=tuple(failures))
    spec = next(iter(specs.values()))
    return Listed(env_id, tuple(specs), spec, spec.max_episode_steps, tuple(failures))


def _spec(env_id: str, backend: str) -> EnvSpec:
    config = EnvConfig.model_validate({"id": env_id, "backend": backend, "num_envs": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old versions, which are asked for by name
        return make_spec(config)


def _host_backends(ids: Ids) -> list[str]:
    counts = {backend: len(ids[backend]) for backend in ids}
    has = {
        "gymnasium": f"{counts['gymnasium'] - counts['ale']} ids, and my_module:MyEnv-v0",
        "ale": f"{counts['ale']} games, {PREFIX}<Game>-v5",
        "envpool": f"{counts['envpool']} ids, Atari's as {PREFIX}<Game>-v5",
    }
    return [f"{backend:9}  {_state(backend, has[backend])}" for backend in has]


def _state(backend: str, has: str) -> str:
    package, extra = EXTRAS.get(backend, (backend, ""))
    if not installed(backend):
        return f"not installed; {install_extra(extra)}"
    return f"{importlib.metadata.version(package):7}  {has}"


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


def _bare(env_id: str) -> str:
    return re.sub(r"^.*/|-v\d+$", "", env_id).lower()
