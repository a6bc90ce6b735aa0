"""Config files: how one is found, what a broken one says, which run one may go on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from a2c_tf import config
from a2c_tf.config import Config
from a2c_tf.errors import ConfigError


def refusal(name_or_path: str | Path) -> str:
    """The one line with which a config is refused."""
    with pytest.raises(ConfigError) as raised:
        config.load(str(name_or_path))
    (line,) = str(raised.value).splitlines()
    return line


def test_an_unknown_name_is_refused_with_the_nearest_and_all() -> None:
    message = refusal("minatar_breakuot")
    assert "did you mean minatar_breakout?" in message
    assert all(name in message for name in config.names())


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.yaml") == (
        f"config file {tmp_path / 'no.yaml'}: not found; expected a YAML file"
    )


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    assert refusal(folder).startswith(f"config file {folder}: ")


@pytest.mark.parametrize(
    "content",
    [
        b"env: [unclosed",
        b"env:\n  id: a\n id: b\n",
        b"env:\n\tid: a\n",
        b"run:\n  seed: 1\n  seed: 2\n",
        b"run:\n  seed: 2001-99-99\n",
        b"run:\n  seed: !!int abc\n",
        b"\xff\xfe\x00\x80",
        b"env: \x00",
    ],
    ids=["unclosed", "indent", "tab", "twice", "date", "tag", "latin", "null"],
)
def test_a_file_that_is_no_yaml_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    assert refusal(file).startswith(f"config file {file}: ")


@pytest.mark.parametrize("content", ["", "- env\n- run\n", "3", "CartPole-v1", "null"])
def test_a_file_without_sections_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "flat.yaml"
    file.write_text(content, encoding="utf-8")
    assert refusal(file) == f"config file {file}: expected sections such as env: and run:"


@pytest.mark.parametrize("content", ["env: 3", "run:\n- seed", "1: {a: 2}", "run: {1: 2}"])
def test_a_section_that_is_no_section_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(content, encoding="utf-8")
    assert refusal(file)


def test_a_file_sets_only_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("env:\n  id: CartPole-v1\n", encoding="utf-8")
    defaults = Config()
    assert config.load(str(file)) == defaults.model_copy(
        update={"env": defaults.env.model_copy(update={"id": "CartPole-v1"})}
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("optimizer.schedule=linear", "optimizer.schedule.shape=linear"),
        ("optimizer.milestones=[[10, 0.5]]", "optimizer.schedule.milestones=[[10,0.5]]"),
        ("a2c.entropy_schedule=cosine", "a2c.entropy_schedule.shape=cosine"),
        ("a2c.entropy_milestones=[]", "a2c.entropy_schedule.milestones=[]"),
    ],
)
def test_an_old_setting_is_refused_with_the_new_one(old: str, new: str) -> None:
    name, _, text = old.partition("=")
    with pytest.raises(ConfigError) as raised:
        config.load("cartpole", [old])
    value = repr(text) if text.isalpha() else text
    assert str(raised.value) == (
        f"{name}: received {value}, renamed; write {new}; "
        "in YAML a section, as schedule: {shape: linear}"
    )


def test_an_old_setting_beside_a_new_one_is_still_found() -> None:
    with pytest.raises(ConfigError, match=r"write optimizer\.schedule\.shape=piecewise"):
        config.load(
            "cartpole", ["optimizer.schedule=piecewise", "optimizer.schedule.milestones=[[1, 2]]"]
        )


def test_the_config_of_an_old_run_is_refused_with_its_path_and_all_new_settings(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "a2c:\n  entropy_schedule: constant\n  entropy_milestones: []\n"
        "optimizer:\n  schedule: linear\n  milestones: []\n",
        encoding="utf-8",
    )
    message = refusal(file)
    assert message.startswith(f"config file {file}: ")
    for new in (
        "a2c.entropy_schedule.shape=constant",
        "a2c.entropy_schedule.milestones=[]",
        "optimizer.schedule.shape=linear",
        "optimizer.schedule.milestones=[]",
    ):
        assert f"write {new};" in message


def resumed(*overrides: str) -> None:
    config.check_resumable(config.load("cartpole"), config.load("cartpole", overrides))


def test_a_run_may_go_on_longer_and_be_logged_otherwise() -> None:
    resumed("run.total_steps=9e9", "run.log_every=1", "run.save_every=2", "run.eval_every=3")
    resumed("run.eval_episodes=7", "run.keep_checkpoints=9", "run.eval_deterministic=false")


def test_a_run_may_go_on_with_smaller_steps() -> None:
    """As it is told to where numbers ceased to be finite."""
    resumed("optimizer.learning_rate=1e-3")


@pytest.mark.parametrize(
    ("override", "difference"),
    [
        ("run.seed=1", "run.seed is 0 there and 1 here"),
        ("env.id=Catch-v0", "env.id is 'CartPole-v1' there and 'Catch-v0' here"),
        ("env.num_envs=31", "env.num_envs is 32 there and 31 here"),
        ("network.hidden=[64]", "network.hidden is (64, 64) there and (64,) here"),
        ("a2c.gamma=0.98", "a2c.gamma is 0.99 there and 0.98 here"),
        ("optimizer.epsilon=2e-2", "optimizer.epsilon is 1e-05 there and 0.02 here"),
    ],
)
def test_a_run_may_not_go_on_as_another_one(override: str, difference: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resumed(override)
    assert str(raised.value) == f"--resume: {difference}; start a new run for that"


def test_all_that_differs_is_told() -> None:
    with pytest.raises(ConfigError) as raised:
        resumed("run.seed=1", "network.hidden=[64]", "run.log_every=3")
    assert "run.seed is 0 there and 1 here" in str(raised.value)
    assert "network.hidden is (64, 64) there and (64,) here" in str(raised.value)
    assert "log_every" not in str(raised.value)
