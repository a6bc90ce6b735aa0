"""Settings: what loads, what is refused, and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tensorflow as tf

from a2c_tf import config
from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.errors import ConfigError
from a2c_tf.training import assembly


def refusal(name_or_path: str | Path, *overrides: str) -> str:
    """The one line with which a config is refused."""
    with pytest.raises(ConfigError) as raised:
        config.load(str(name_or_path), overrides)
    (line,) = str(raised.value).splitlines()
    return line


@pytest.mark.parametrize("name", config.names())
def test_each_config_comes_back_from_its_yaml(name: str, tmp_path: Path) -> None:
    loaded = config.load(name)
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml(loaded), encoding="utf-8")
    assert config.load(str(file)) == loaded
    assert config.to_yaml(config.load(str(file))) == config.to_yaml(loaded)


@pytest.mark.parametrize("name", config.names())
def test_each_config_sets_only_what_is_known_and_all_sections(name: str) -> None:
    assert config.load(name).model_fields_set == set(Config.model_fields)


@pytest.mark.slow
@pytest.mark.parametrize("name", config.names())
def test_each_config_trains(name: str) -> None:
    settings = config.load(name, ["run.updates_per_call=1", "a2c.unroll_length=2"])
    env = registry.make(settings.env)
    agent = make_agent(env.spec, settings)
    learner, step, _ = assembly.make_training(env, agent, settings)
    before = [weight.numpy() for weight in agent.model.weights]
    state = agent.start(env, make_seeds(settings.run.seed))
    _, report = step(state, tf.constant(1))
    assert all(tf.math.is_finite(value) for value in report.metrics.values())
    assert int(learner.updates) == 1
    after = [weight.numpy() for weight in agent.model.weights]
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_overrides_are_dotted_and_the_last_one_counts() -> None:
    loaded = config.load(
        "cartpole", ["a2c.gamma=0.5", "env.num_envs=7", "a2c.gamma=0.25", "network.hidden=[3, 4]"]
    )
    assert (loaded.a2c.gamma, loaded.env.num_envs, loaded.network.hidden) == (0.25, 7, (3, 4))


@pytest.mark.parametrize("text", ["1e6", "1_000_000", "1000000.0", "0xF4240"])
def test_a_count_may_be_written_as_people_do(text: str) -> None:
    total = config.load("cartpole", [f"run.total_steps={text}"]).run.total_steps
    assert (total, type(total)) == (1_000_000, int)


def test_null_stands_for_the_environments_own_value() -> None:
    assert config.load("cartpole", ["env.max_episode_steps=null"]).env.max_episode_steps is None


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("a2c.gama=0.9", "a2c.gama: unknown setting; did you mean a2c.gamma?"),
        ("env.num_env=3", "env.num_env: unknown setting; did you mean env.num_envs?"),
        ("optimiser.learning_rate=1", "optimiser: unknown setting; did you mean optimizer?"),
        ("zzz.qqqqq=1", "zzz: unknown setting"),
        ("a2c.gamma.x=1", "a2c.gamma.x: unknown setting; did you mean a2c.gamma?"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest(override: str, suggestion: str) -> None:
    assert refusal("cartpole", override) == suggestion


@pytest.mark.parametrize(
    "override",
    [
        "a2c.gamma=1.5",
        "a2c.gamma=-0.1",
        "a2c.gae_lambda=2",
        "a2c.unroll_length=0",
        "a2c.entropy_coef=-0.01",
        "a2c.value_coef=-1",
        "a2c.max_grad_norm=0",
        "optimizer.learning_rate=0",
        "optimizer.rho=1",
        "optimizer.epsilon=0",
        "env.num_envs=0",
        "env.sticky_action_probability=1.1",
        "env.max_episode_steps=0",
        "network.hidden=[64, 0]",
        "run.total_steps=0",
        "run.seed=-1",
        "run.keep_checkpoints=1",
        "run.eval_every=-1",
        "run.eval_episodes=0",
    ],
)
def test_a_number_out_of_range_is_refused_by_name(override: str) -> None:
    name, _, text = override.partition("=")
    message = refusal("cartpole", override)
    assert message.startswith(name)
    assert f"; expected a{'n' if 'integer' in message else ''} " in message or "list" in message
    assert re.search("[<>]=? [012]", message)
    assert text.strip("[]").split(", ")[-1] in message


@pytest.mark.parametrize("name", ["a2c.gamma", "optimizer.learning_rate", "a2c.entropy_coef"])
@pytest.mark.parametrize("text", [".nan", ".inf", "-.inf", "nan"])
def test_numbers_that_are_not_finite_are_refused(name: str, text: str) -> None:
    assert refusal("cartpole", f"{name}={text}").startswith(f"{name}: received ")


@pytest.mark.parametrize(
    "override",
    [
        "run.seed=true",
        "run.seed=1.5",
        "run.seed=abc",
        "run.seed='3'",
        "run.seed=[1]",
        "run.total_steps=.inf",
        "run.eval_deterministic=1",
        "run.eval_deterministic=yes",
        "a2c.gamma=true",
        "a2c.gamma=",
        "optimizer.learning_rate=abc",
        "env.id=3",
        "env.backend=cuda",
        "network.torso=resnet",
        "network.hidden=a",
        "network.hidden=1.5",
        "network.hidden=[true]",
        "network.hidden=[[8]]",
    ],
)
def test_a_value_of_another_type_is_refused_by_name(override: str) -> None:
    assert refusal("cartpole", override).startswith(override.partition("=")[0])


def test_every_mistake_is_told_at_once() -> None:
    message = refusal(
        "cartpole", "a2c.gamma=1.5", "run.seed=true", "env.nmu_envs=3", "optimizer.rho=.nan"
    )
    for name in ("a2c.gamma", "run.seed", "env.nmu_envs", "optimizer.rho"):
        assert f"{name}: " in message
    assert message.count(";") >= 3


@pytest.mark.parametrize("override", ["a2c=3", "=3", ".gamma=3", "a2c.=3", "gamma=0.9"])
def test_an_override_needs_section_key_and_value(override: str) -> None:
    assert "expected section.key=value" in refusal("cartpole", override)


@pytest.mark.parametrize(
    "value", ["[1", "{a: b", "'", "2001-99-99", "!!int abc", "!!float x", "*missing", "a: b: c"]
)
def test_an_override_that_is_no_yaml_is_refused(value: str) -> None:
    message = refusal("cartpole", f"run.seed={value}")
    assert repr(f"run.seed={value}") in message
    assert "not a YAML value" in message
