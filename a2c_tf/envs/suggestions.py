"""What an id that is not there may have meant."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

from a2c_tf.dependencies import install_extra

SUGGESTIONS, LIKENESS = 3, 0.7
ATARI = re.compile(r"(?:ALE/)?(\w+?)(-ram)?(NoFrameskip|Deterministic)?-v[045]")
"""gym's names of Atari games: BreakoutNoFrameskip-v4 and so on."""


class Plugin(NamedTuple):
    """A package that registers ids with gymnasium when its module is imported."""

    pattern: str
    """what its ids start with, a regular expression."""
    module: str
    package: str
    """to `pip install`."""


PLUGINS = (
    Plugin("MiniGrid-|BabyAI-", "minigrid", "minigrid"),
    Plugin("MiniWorld-", "miniworld", "miniworld"),
    Plugin(
        "(highway|merge|roundabout|parking|intersection|racetrack|exit|two-way|u-turn"
        "|lane-keeping)-",
        "highway_env",
        "highway-env",
    ),
    Plugin("Panda[A-Z]", "panda_gym", "panda-gym"),
    Plugin(
        "(Fetch|HandReach|HandManipulate|AdroitHand|PointMaze|AntMaze|FrankaKitchen)",
        "gymnasium_robotics",
        "gymnasium-robotics",
    ),
    Plugin("FlappyBird-", "flappy_bird_gymnasium", "flappy-bird-gymnasium"),
    Plugin("Meta-World/", "metaworld", "metaworld"),
    Plugin("dm_control/", "shimmy", "shimmy[dm-control]"),
    Plugin("bsuite/", "shimmy", "shimmy[bsuite]"),
)


def plugin_hint(env_id: str) -> str:
    """Returns how to name an environment of a well-known package; empty where it is of none."""
    for plugin in PLUGINS:
        if re.match(plugin.pattern, env_id):
            package = f"'{plugin.package}'" if "[" in plugin.package else plugin.package
            return (
                f"it comes with a package of its own: pip install {package}, "
                f"then env.id={plugin.module}:{env_id}"
            )
    return ""


def hint(env_id: str, known: Iterable[str]) -> str:
    """Returns the id that was meant, the package that has it, or where to look.

    Args:
      env_id: that is not there.
      known: all ids that are.

    Returns:
      The end of a message.
    """
    known, (module, _, bare) = list(known), env_id.rpartition(":")
    if module not in sys.modules and (plugin := plugin_hint(bare)):
        return plugin
    if module and module not in sys.modules:
        return f"expected {module}.py in the working directory, or an installed package"
    if meant := _same_name(bare, known) or _atari(bare, known) or nearest(bare, known):
        return f"did you mean {', '.join(meant)}?"
    if (match := ATARI.fullmatch(bare)) and (match[2] or match[3]):
        return f"did you mean ALE/{match[1]}-v5? It needs {install_extra('atari')}"
    return "python -m a2c_tf.envs lists what there is; of your own: env.id=my_module:MyEnv-v0"


def nearest(part: str, ids: Iterable[str]) -> list[str]:
    """Returns ids whose names, without namespace and version, are most like that of `part`."""
    by_name: dict[str, list[str]] = {}
    for env_id in ids:
        by_name.setdefault(_bare(env_id), []).append(env_id)
    names = difflib.get_close_matches(_bare(part), by_name, SUGGESTIONS, LIKENESS)
    return [env_id for name in names for env_id in by_name[name]][:SUGGESTIONS]


def _same_name(env_id: str, known: list[str]) -> list[str]:
    """Returns the newest id that differs in version, letters' case and punctuation alone."""
    name = _letters(env_id)
    same = [other for other in known if _letters(other) == name]
    return sorted(same, key=_version)[-1:]


def _atari(env_id: str, known: list[str]) -> list[str]:
    """Returns the Atari game that gym called by that name."""
    match = ATARI.fullmatch(env_id)
    wanted = f"ale/{match[1]}-v5".lower() if match else ""
    return [other for other in known if other.lower() == wanted]


def _letters(env_id: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"-v\d+$", "", env_id.lower()))


def _version(env_id: str) -> int:
    match = re.search(r"-v(\d+)$", env_id)
    return int(match[1]) if match else -1


def _bare(env_id: str) -> str:
    return re.sub(r"^.*/|-v\d+$", "", env_id).lower()
