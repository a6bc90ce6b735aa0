"""`--print-config`: every setting with its meaning, and the same config once loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from a2c_tf import config
from a2c_tf.config import Config
from a2c_tf.config.describing import settings

EVERYTHING = [
    "network.hidden=[7,8]",
    "env.max_episode_steps=99",
    "network.normalize_observation=false",
    "network.builder='a: #b'",
    "optimizer.schedule={shape: piecewise, milestones: [[0, 1], [10, 0.5]]}",
    "run.trackers=[]",
    "env.id='my module:My#Env-v0'",
]


@pytest.mark.parametrize("overrides", [[], EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("name", config.names())
def test_the_printed_config_is_the_same_config(
    name: str, overrides: list[str], tmp_path: Path
) -> None:
    loaded = config.load(name, overrides)
    file = tmp_path / "printed.yaml"
    file.write_text(config.to_commented_yaml(loaded), encoding="utf-8")
    assert config.load(str(file)) == loaded


def comments_by_key(text: str) -> dict[str, str]:
    """The comment above each key, by the key's dotted name."""
    found: dict[str, str] = {}
    path: list[str] = []
    comment = ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            comment = f"{comment} {bare[1:].strip()}".strip()
        elif ":" in bare and not bare.startswith("-"):
            depth = (len(line) - len(line.lstrip())) // 2
            path = [*path[:depth], bare.partition(":")[0]]
            found[".".join(path)] = comment
            comment = ""
    return found


def test_every_setting_has_its_meaning_type_and_choices() -> None:
    comments = comments_by_key(config.to_commented_yaml(config.load("cartpole")))
    for setting in settings(Config):
        comment = comments[setting.name]
        assert setting.meaning in comment
        assert setting.type.replace("`", "") in comment
        assert all(choice in comment for choice in setting.choices)
    assert (
        comments["env"] == "Which environment is stepped, by which backend, and how many at once."
    )


def test_a_setting_that_differs_has_its_default_beside_it() -> None:
    text = config.to_commented_yaml(config.load("cartpole", ["run.seed=3"]))
    comments = comments_by_key(text)
    assert comments["run.seed"].endswith("[integer ≥ 0; default 0]")
    assert "default" not in comments["run.inspect_every"].partition("[")[2]


def test_no_line_is_long_and_null_is_written_out() -> None:
    text = config.to_commented_yaml(config.load("cartpole"))
    assert max(map(len, text.splitlines())) <= 100
    assert "  max_episode_steps: null\n" in text
