"""`python -m docs.generate`: writes docs/configuration.md from the schema of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from a2c_tf.config import Config, names

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
environments, without those spent on a reset. Numbers such as `1e6` and `5_000_000` are accepted
where an integer is expected. An unknown or invalid setting ends the command with exit code 2 before
anything starts; one line names every mistake.

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

NAMES = {bool: "true or false", int: "integer", float: "number", str: "text"}
LIMITS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


class Setting(NamedTuple):
    """One row of a table."""

    name: str
    type: str
    default: str
    meaning: str


def text() -> str:
    """Returns the whole page: an introduction, and a table of settings for each section."""
    configs = ", ".join(f"`{name}`" for name in names())
    lines = [INTRODUCTION.replace("{configs}", configs)]
    for name, section in Config().__dict__.items():
        lines += [f"## `{name}`", "", "| setting | type | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{s.name}` | {s.type} | `{s.default}` | {s.meaning} |" for s in rows(name, section)
        ]
        lines.append("")
    return "\n".join(lines)


def rows(prefix: str, section: BaseModel) -> Iterator[Setting]:
    """Yields the settings of a section, by dotted names that start with `prefix`."""
    for name, field in type(section).model_fields.items():
        default = getattr(section, name)
        if isinstance(default, BaseModel):
            yield from rows(f"{prefix}.{name}", default)
            continue
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield Setting(
            f"{prefix}.{name}",
            type_of(field.annotation, field.metadata),
            _written(default),
            meaning,
        )


def type_of(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Returns a type in words, such as `integer > 0`.

    Args:
      annotation: a type, or one in `Annotated`.
      metadata: what `Annotated` holds beside it, where pydantic has taken the two apart.
    """
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return type_of(arguments[0], [*arguments[1:], *metadata])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if type(None) in arguments:
        return f"{' or '.join(type_of(x) for x in arguments if x is not type(None))}, or null"
    if get_origin(annotation) is tuple and arguments[-1] is Ellipsis:
        return f"list of: {type_of(arguments[0])}"
    if get_origin(annotation) is tuple:
        return f"[{', '.join(map(type_of, arguments))}]"
    return f"{NAMES[annotation]} {', '.join(_limits(metadata))}".strip()


def _limits(metadata: Sequence[Any]) -> Iterator[str]:
    for item in metadata:
        for limit in getattr(item, "metadata", [item]):  # those of a Field are inside it
            yield from (
                f"{s} {getattr(limit, n):g}" for n, s in LIMITS.items() if hasattr(limit, n)
            )


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
