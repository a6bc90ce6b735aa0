"""The setting that was probably meant by a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from a2c_tf.config.describing import settings
from a2c_tf.config.schema import Config

ALIASES = {
    "lr": "optimizer.learning_rate",
    "steps": "run.total_steps",
    "timesteps": "run.total_steps",
    "total_timesteps": "run.total_steps",
    "n_envs": "env.num_envs",
    "envs": "env.num_envs",
    "env": "env.id",
    "env_id": "env.id",
    "n_steps": "a2c.unroll_length",
    "ent_coef": "a2c.entropy_coef",
    "vf_coef": "a2c.value_coef",
    "lambda": "a2c.gae_lambda",
    "net_arch": "network.hidden",
    "policy": "network.torso",
    "episodes": "run.eval_episodes",
}
"""a name in other libraries, or in short -> the setting."""


def nearest(word: str, known: Sequence[str]) -> str:
    """Returns a suggestion for an error: the known word that is most like `word`, if any is."""
    matches = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def meant(name: str) -> str | None:
    """Returns the setting whose last part is that of `name`, or that others call so."""
    return _by_last_part().get(name.rpartition(".")[2].lower())


def nearly_meant(name: str) -> str | None:
    """Returns the same for a name that may be mistyped."""
    settings_by_key = _by_last_part()
    matches = difflib.get_close_matches(name.lower(), settings_by_key, n=1, cutoff=0.8)
    return settings_by_key[matches[0]] if matches else None


def _by_last_part() -> dict[str, str]:
    """Returns each setting by its last part, if it is the only one of that, and by its aliases."""
    keys = [name.rpartition(".")[2] for name in setting_names()]
    known = {
        key: name for key, name in zip(keys, setting_names(), strict=True) if keys.count(key) == 1
    }
    return {**ALIASES, **known}


def suggestion(name: str) -> str:
    """Returns a suggestion for an unknown setting, or nothing."""
    if setting := meant(name):
        return f"; did you mean {setting}?"
    return nearest(name, [*Config.model_fields, *setting_names()])


def setting_names() -> list[str]:
    """Returns the dotted name of every setting."""
    return [setting.name for setting in settings(Config)]
