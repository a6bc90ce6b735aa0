"""`python -m docs.generate`: writes docs/configuration.md from the schema of the settings."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from a2c_tf.config import Config, names
from a2c_tf.config.describing import Setting, settings, subsection

OUT = Path(__file__).with_name("configuration.md")

INTRODUCTION = """\
# Configuration

<!-- Written by `python -m docs.generate` from a2c_tf/config/schema.py: edit that instead. -->

A run is described by one config: a YAML file with the sections below, in which every setting may be
left out, and overrides on the command line, the value read as YAML:

```sh
python -m a2c_tf.train cartpole run.seed=3 env.num_envs=64
python -m a2c_tf.train mine.yaml optimizer.schedule.shape=constant network.hidden=[64,64]
python -m a2c_tf.train --print-config        # every setting, as a config file
```

The configs that come with the package are {configs}. Steps are environment steps, summed over all
environments, without those spent on a reset. Numbers such as `1e6`, `5_000_000`, `5M` and `500k`
are accepted where an integer is expected. An unknown or invalid setting ends the command with exit
code 2 before anything starts; one line names every mistake.

`--resume` accepts another value of any setting of `run` but `run.seed`, and of
`optimizer.learning_rate`; a different value of any other setting needs a new run.

## Which advantage

`a2c.advantage` chooses the estimator, and `a2c.gae_lambda` is read only where it is `gae`:

| `a2c.advantage` | λ | return of a truncated episode |
|---|---|---|
| `td` | 0 | continues with the value of its last observation |
| `n_step` | 1 | continues with the value of its last observation |
| `gae` | `a2c.gae_lambda` | continues with the value of its last observation |
| `monte_carlo` | 1 | ends there, as if the episode had terminated |

[algorithm.md](algorithm.md) has the equations.
"""


def text() -> str:
    """Returns the whole page: an introduction, and a table of settings for each section."""
    configs = ", ".join(f"`{name}`" for name in names())
    lines = [INTRODUCTION.replace("{configs}", configs)]
    for name, field in Config.model_fields.items():
        section = subsection(field)
        assert section  # Config holds nothing else
        lines += [f"## `{name}`", "", "| setting | type | default | meaning |", "|---|---|---|---|"]
        lines += [_row(setting) for setting in settings(section, f"{name}.")]
        lines.append("")
    return "\n".join(lines)


def _row(setting: Setting) -> str:
    """Returns a row of a table; defaults are those of the config as a whole."""
    default = _written(_default(setting.name))
    meaning = setting.meaning.replace("|", "\\|")
    return f"| `{setting.name}` | {setting.type} | `{default}` | {meaning} |"


def _default(name: str) -> Any:
    """Returns the default of a setting, which a section may have in place of the setting's own."""
    return functools.reduce(getattr, name.split("."), Config())


def _written(default: Any) -> str:
    """Returns a default as a YAML file has it."""
    if type(default) is int:
        return f"{default:_}"
    return json.dumps(default, ensure_ascii=False).strip('"')


def main() -> None:
    """Writes the page."""
    OUT.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
