"""What pydantic finds wrong, in words for users: setting, value received, what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from a2c_tf.config.describing import (
    Setting,
    as_typed,
    describe,
    expectation,
    settings,
    subsection,
)
from a2c_tf.config.hints import nearest, suggestion
from a2c_tf.config.schema import Config


class Place(NamedTuple):
    """The section or setting that a problem is of."""

    name: str
    field: FieldInfo | None
    """None for the whole config."""
    value: Any
    """what was received for it."""


def explain(problems: Sequence[Mapping[str, Any]], tree: Any) -> str:
    """Returns one line that names every setting that is wrong.

    Args:
      problems: as `pydantic.ValidationError.errors` returns them.
      tree: of sections, as it was received.
    """
    return "; ".join(dict.fromkeys(_explain(problem, tree) for problem in problems))


def unknown(name: str) -> str:
    """Returns the error for a setting that is none."""
    return f"{name}: unknown setting{suggestion(name)}"


def _explain(problem: Mapping[str, Any], tree: Any) -> str:
    place = _find(problem["loc"], tree)
    if problem["type"] == "extra_forbidden":
        return unknown(".".join(map(str, problem["loc"])))
    if problem["type"] == "value_error":
        reason = str(problem["ctx"]["error"])
        return f"{place.name}: {reason}" if place.name else reason
    if problem["type"] == "invalid_key":
        return f"{place.name}: received the key {problem['loc'][-1]}; expected names of settings"
    section = Config if place.field is None else subsection(place.field)
    if section:
        return _explain_section(place, section)
    assert place.field  # a setting
    setting = describe(place.field, place.name)
    if problem["type"] == "missing" and place.value is None:
        return f"{place.name}: missing; expected {_expected(setting)}"
    return (
        f"{place.name}: received {place.value!r}; expected {_expected(setting, problem['input'])}"
    )


def _explain_section(place: Place, section: type[BaseModel]) -> str:
    prefix = f"{place.name}." if place.name else ""
    first = next(settings(section, prefix))
    return (
        f"{place.name or 'config'}: received {place.value!r}; "
        f"expected a section of settings, as {first.name}={_example(first)}"
    )


def _expected(setting: Setting, value: Any = None) -> str:
    """Returns what is expected, with an example, and the choice that is like a wrong one."""
    finite = "finite " if isinstance(value, float) and not math.isfinite(value) else ""
    words = expectation(setting).replace("a number", f"a {finite}number", 1)
    like = nearest(value, setting.choices) if isinstance(value, str) else ""
    return words + (like or f", as {setting.name}={_example(setting)}")


def _example(setting: Setting) -> str:
    if setting.default is None and setting.choices:
        return setting.choices[0]
    return as_typed(setting.default)


def _find(location: Sequence[str | int], tree: Any) -> Place:
    """Returns the section or setting at the location, or the one that the location is inside."""
    place = Place("", None, tree)
    section: type[BaseModel] | None = Config
    for part in location:
        if section is None or part not in section.model_fields:
            break
        field = section.model_fields[str(part)]
        value = place.value.get(part) if isinstance(place.value, dict) else None
        place = Place(f"{place.name}.{part}".lstrip("."), field, value)
        section = subsection(field)
    return place
