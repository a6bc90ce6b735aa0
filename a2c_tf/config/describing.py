"""Settings in words: their types, for the documentation, `--print-config` and errors."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

NAMES = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    dict: "mapping",
    Any: "any value",
}
LIMITS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


class Setting(NamedTuple):
    """What is known of one setting."""

    name: str
    """dotted, from its section on."""
    type: str
    """in words, such as `integer > 0`."""
    default: Any
    """None, too, where it must be given."""
    meaning: str
    choices: tuple[str, ...] = ()
    """of a setting that is one of several words."""


def settings(section: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Yields the settings of a section and of those in it.

    Args:
      section: the class of the section.
      prefix: what the dotted names start with, its dot included.

    Yields:
      Each setting, in the order of the class.
    """
    for name, field in section.model_fields.items():
        if inner := subsection(field):
            yield from settings(inner, f"{prefix}{name}.")
        else:
            yield describe(field, f"{prefix}{name}")


def describe(field: FieldInfo, name: str) -> Setting:
    """Returns the setting that a field is, under that dotted name."""
    return Setting(
        name,
        type_of(field.annotation, field.metadata),
        None if field.is_required() else field.get_default(call_default_factory=True),
        meaning(field),
        _choices(field.annotation),
    )


def subsection(field: FieldInfo) -> type[BaseModel] | None:
    """Returns the class of the section that a field holds, None where it is a setting."""
    annotation: Any = field.annotation
    is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_section else None


def meaning(field: FieldInfo) -> str:
    """Returns the description of a field on one line."""
    return " ".join((field.description or "").split())


def type_of(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """Returns a type in words, such as `integer > 0`.

    Args:
      annotation: a type, or one in `Annotated`.
      metadata: what `Annotated` holds beside it, where pydantic has taken the two apart.
    """
    arguments, origin = get_args(annotation), get_origin(annotation)
    if origin is Annotated:
        return type_of(arguments[0], [*arguments[1:], *metadata])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (types.UnionType, typing.Union):
        words = " or ".join(type_of(x) for x in arguments if x is not type(None))
        return f"{words}, or null" if type(None) in arguments else words
    if origin is list or (origin is tuple and arguments[-1] is Ellipsis):
        return f"list of: {type_of(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(map(type_of, arguments))}]"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return f"{NAMES[origin or annotation]} {', '.join(_limits(metadata))}".strip()


def expectation(setting: Setting) -> str:
    """Returns what an error says is expected of a setting's value."""
    words = setting.type.replace("`", "").replace("≥", ">=").replace("≤", "<=")
    words = words.replace("list of: ", "list of ")
    if words.startswith("list of ") and setting.choices:
        return words.replace("list of ", "a list of any of ")
    if setting.choices:
        return f"one of {words}"
    article = {"i": "an ", "n": "a ", "l": "a ", "m": "a "}.get(words[0], "")
    return article + words


def as_typed(value: Any) -> str:
    """Returns a value as one types it on the command line and in a config file."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _choices(annotation: Any) -> tuple[str, ...]:
    """Returns the words that a type knows, also inside lists and beside null."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(word for inner in get_args(annotation) for word in _choices(inner))


def _limits(metadata: Sequence[Any]) -> Iterator[str]:
    for item in metadata:
        for limit in getattr(item, "metadata", [item]):  # those of a Field are inside it
            yield from (
                f"{s} {getattr(limit, n):g}" for n, s in LIMITS.items() if hasattr(limit, n)
            )
