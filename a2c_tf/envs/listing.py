"""Which environments there are, by which backends, as text."""

from __future__ import annotations

import importlib.metadata
import warnings

import gymnasium

from a2c_tf.config import EnvConfig
from a2c_tf.dependencies import install_extra
from a2c_tf.envs import registration
from a2c_tf.envs.host.atari import PREFIX
from a2c_tf.envs.ids import EXTRAS, Ids, all_ids, available, installed
from a2c_tf.envs.listing_table import UNKNOWN, Listed, leaves_open, table
from a2c_tf.envs.registration import graph_native_ids
from a2c_tf.envs.registry import make_spec
from a2c_tf.envs.suggestions import nearest
from a2c_tf.errors import CommandError, ConfigError
from a2c_tf.types import EnvSpec

MADE_AT_MOST = 20
EXPLANATION = (
    f"{UNKNOWN}  is not known: environments outside of the graph are made to learn it, "
    f"where a filter finds {MADE_AT_MOST} of them or fewer"
)
EXPLANATION_OF_MADE = f"{UNKNOWN}  is not known; under backends: it cannot be made here"


def overview() -> str:
    """Returns a table of the graph-native environments, and the backends on the host."""
    ids = available()
    return "\n".join(
        [
            table(_listed(env_id, ids) for env_id in graph_native_ids()),
            "",
            "env.backend=auto takes the first of the backends. On the host:",
            *_host_backends(ids),
        ]
    )


def matching(part: str) -> str:
    """Returns a table of all environments whose ids contain `part`, in upper or lower case.

    `my_module:part` imports the module, and lists what that registers.

    Raises:
      ConfigError: where no id does, or the module cannot be imported.
    """
    module, _, name = part.rpartition(":")
    known = _registered_by(module) if module else all_ids()
    found = [env_id for env_id in known if name.lower() in env_id.lower()]
    if not found:
        near = ", ".join(nearest(part, known))
        hint = f"did you mean {near}?" if near else f"Atari games have {PREFIX}, MinAtar's MinAtar/"
        raise ConfigError(f"filter {part}: no installed backend has an id that contains it; {hint}")
    ids = available()
    on_host = set(found) - ids["graph"]
    if len(on_host) > MADE_AT_MOST:
        return f"{table(_listed(env_id, ids) for env_id in found)}\n\n{EXPLANATION}"
    rows = [_made(env_id, ids) if env_id in on_host else _listed(env_id, ids) for env_id in found]
    notes = [EXPLANATION_OF_MADE] if any(map(leaves_open, rows)) else []
    notes += [failure for row in rows for failure in row.failures]
    return "\n".join([table(rows), *([""] if notes else []), *notes])


def _registered_by(module: str) -> list[str]:
    """Returns the ids that importing the module adds; all ids if it was imported before."""
    before = set(all_ids())
    try:
        registration.import_module(module)
    except Exception as error:  # the user's module may raise anything
        reason = " ".join(str(error).split())
        raise ConfigError(f"filter {module}: raised {type(error).__name__}: {reason}") from error
    after = all_ids()
    return [env_id for env_id in after if env_id not in before] or after


def _listed(env_id: str, ids: Ids) -> Listed:
    backends = tuple(backend for backend in ids if env_id in ids[backend])
    if env_id in ids["graph"]:
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
