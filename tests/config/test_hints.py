"""What people type: taken as meant, or refused with the right spelling and in plain words."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from a2c_tf import config
from a2c_tf.config import Config
from a2c_tf.config.describing import Setting, settings
from a2c_tf.errors import ConfigError

SETTINGS = list(settings(Config))
NOT_OURS = re.compile(
    r"[Ii]nput should|valid|tuple|Value error|pydantic|[Ff]ield required|model_type|instance of"
)
WRONG: tuple[Any, ...] = (
    {"a": 1},
    [[[]]],
    "zzz",
    -1,
    3.5,
    True,
    None,
    math.nan,
    10**400,
    [-1],
    ["a", 1],
    [[1, 2, 3]],
    "",
)


def value_of(loaded: Config, name: str) -> Any:
    value: Any = loaded
    for part in name.split("."):
        value = getattr(value, part)
    return value


def refusal(tree: dict[str, Any]) -> str | None:
    """The line with which a tree of settings is refused, None where it is taken."""
    try:
        config.parse(tree)
    except ConfigError as error:
        return str(error)
    return None


def nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_wrong_value_of_each_setting_is_told_in_our_words(setting: Setting) -> None:
    refused = 0
    for value in WRONG:
        tree = nested(setting.name, value)
        if setting.name.endswith("schedule.milestones"):
            tree = nested(
                setting.name.rpartition(".")[0], {"shape": "piecewise"} | {"milestones": value}
            )
        line = refusal(tree)
        if line is None:
            continue
        refused += 1
        assert line.startswith(f"{setting.name}"), line
        assert not NOT_OURS.search(line.replace(repr(value), "")), line
        if line.startswith(f"{setting.name}: "):
            assert f"received {value!r}; expected " in line
    assert refused >= 3


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_example_of_an_error_is_taken(setting: Setting) -> None:
    line = refusal(nested(setting.name, 3 if setting.type == "mapping" else {"a": 1}))
    if line is None:
        pytest.fail(f"{setting.name} takes anything")
    example = re.search(rf", as ({re.escape(setting.name)}=\S+)$", line)
    if setting.name.endswith("schedule.milestones"):
        return
    assert example, line
    config.load("cartpole", [example[1]])


@pytest.mark.parametrize("section", ["env", "env.atari", "run"])
@pytest.mark.parametrize("value", [3, "a", [1], None, True])
def test_a_section_that_is_none_is_told_in_our_words(section: str, value: Any) -> None:
    line = refusal(nested(section, value))
    assert line and line.startswith(
        f"{section}: received {value!r}; expected a section of settings"
    )
    assert not NOT_OURS.search(line)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("network.hidden=64", (64,)),
        ("network.hidden=64,32", (64, 32)),
        ("run.total_steps=1M", 1_000_000),
        ("run.total_steps=1.5m", 1_500_000),
        ("run.total_steps=0.07M", 70_000),
        ("run.total_steps=500k", 500_000),
        ("run.total_steps=2B", 2_000_000_000),
        ("run.total_steps=1e6", 1_000_000),
        ("run.total_steps=1_000_000", 1_000_000),
        ("env.max_episode_steps=None", None),
        ("env.max_episode_steps=none", None),
        ("env.max_episode_steps=null", None),
        ("env.max_episode_steps=~", None),
        ("env.max_episode_steps=1k", 1000),
        ("env.vectorization=None", None),
        ("network.builder=None", None),
        ("network.core=none", "none"),
        ("run.trackers=wandb", ("wandb",)),
        ("run.trackers=tensorboard,mlflow", ("tensorboard", "mlflow")),
        ("run.trackers=[]", ()),
    ],
)
def test_what_people_type_is_taken(override: str, value: Any) -> None:
    assert value_of(config.load("cartpole", [override]), override.partition("=")[0]) == value


@pytest.mark.parametrize("text", ["1.0005k", "k", "1 M", "-1M", "1MM", "1e3k", "_k"])
def test_what_is_no_whole_number_stays_refused(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^run\.total_steps: received .* expected an integer > 0"
    ):
        config.load("cartpole", [f"run.total_steps={text}"])


@pytest.mark.parametrize(
    ("override", "right"),
    [
        ("seed=3", "run.seed=3"),
        ("lr=0.1", "optimizer.learning_rate=0.1"),
        ("hidden=64", "network.hidden=64"),
        ("gamma=0.9", "a2c.gamma=0.9"),
        ("gama=0.9", "a2c.gamma=0.9"),
        ("steps=100k", "run.total_steps=100k"),
        ("env=CartPole-v1", "env.id=CartPole-v1"),
        ("n_steps=5", "a2c.unroll_length=5"),
        ("LR=0.1", "optimizer.learning_rate=0.1"),
    ],
)
def test_a_setting_without_its_section_is_refused_with_the_right_spelling(
    override: str, right: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        config.load("cartpole", [override])
    assert str(raised.value) == f"override {override!r}: expected section.key=value; write {right}"
    config.load("cartpole", [right])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("run.lr", "optimizer.learning_rate"),
        ("run.learning_rate", "optimizer.learning_rate"),
        ("a2c.hidden", "network.hidden"),
        ("optimizer.ent_coef", "a2c.entropy_coef"),
    ],
)
def test_a_setting_in_the_wrong_section_is_found(name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.load("cartpole", [f"{name}=1"])
    assert str(raised.value) == f"{name}: unknown setting; did you mean {meant}?"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "optimizer.name=Adam",
            "received 'Adam'; expected one of rmsprop_tf1, rmsprop, adam; did you mean adam?",
        ),
        (
            "run.trackers=[tensorboard, wnadb]",
            "received ['tensorboard', 'wnadb']; expected a list of any of tensorboard, wandb, "
            "mlflow; did you mean wandb?",
        ),
        (
            "network.activation=7",
            "received 7; expected one of relu, tanh, silu, as network.activation=relu",
        ),
        ("a2c.gamma=.inf", "received inf; expected a finite number >= 0, <= 1, as a2c.gamma=0.99"),
    ],
)
def test_a_wrong_choice_is_refused_with_all_and_the_nearest(override: str, expected: str) -> None:
    name = override.partition("=")[0]
    with pytest.raises(ConfigError) as raised:
        config.load("cartpole", [override])
    assert str(raised.value) == f"{name}: {expected}"


def test_one_sample_an_update_is_not_normalised() -> None:
    one = ["a2c.normalize_advantage=true", "a2c.unroll_length=1", "env.num_envs=1"]
    with pytest.raises(ConfigError, match=r"^a2c\.normalize_advantage: received true with one"):
        config.load("cartpole", one)
    for more in ("a2c.unroll_length=2", "env.num_envs=2", "a2c.normalize_advantage=false"):
        config.load("cartpole", [*one, more])


def test_sections_that_do_not_fit_say_so_without_a_prefix() -> None:
    with pytest.raises(ConfigError) as raised:
        config.load("cartpole", ["a2c.clip_reward=true", "a2c.scale_reward=true"])
    assert str(raised.value).startswith("a2c: clip_reward and scale_reward exclude each other")
