"""A config as a YAML file that explains itself."""

from __future__ import annotations

import io
import textwrap

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.representer import RoundTripRepresenter

from a2c_tf.config.describing import as_typed, describe, meaning, subsection
from a2c_tf.config.schema import Config

WIDTH = 100


class Representer(RoundTripRepresenter):
    """Writes null by name, so that a comment on it can be understood."""


Representer.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)


def to_commented_yaml(config: Config) -> str:
    """Returns every setting as YAML with its meaning, its type and its default, if it differs.

    `load` makes the same config from it as from `to_yaml`.
    """
    tree = _commented(config, type(config)(), 0)
    for name in list(tree)[1:]:
        tree.yaml_set_comment_before_after_key(name, before="\n" + _purpose(config, name))
    first = next(iter(tree))
    tree.yaml_set_comment_before_after_key(first, before=_purpose(config, first))
    text = io.StringIO()
    yaml = YAML()
    yaml.Representer = Representer
    yaml.dump(tree, text)
    return text.getvalue()


def _purpose(config: Config, name: str) -> str:
    return " ".join((type(getattr(config, name)).__doc__ or "").split())


def _commented(section: BaseModel, default: BaseModel, indent: int) -> CommentedMap:
    """Returns the settings of a section, each with a comment before it."""
    tree = CommentedMap(section.model_dump(mode="json"))
    for name, field in type(section).model_fields.items():
        value, usual = getattr(section, name), getattr(default, name)
        if subsection(field):
            tree[name] = _commented(value, usual, indent + 2)
            comment = meaning(field)
        else:
            setting = describe(field, name)
            differs = "" if value == usual else f"; default {as_typed(usual)}"
            comment = f"{setting.meaning} [{setting.type.replace('`', '')}{differs}]"
        lines = textwrap.fill(comment, WIDTH - indent - 2, break_on_hyphens=False)
        if indent and comment:
            tree.yaml_set_comment_before_after_key(name, before=lines, indent=indent)
    return tree
