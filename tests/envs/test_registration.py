"""Graph-native environments of one's own, by their ids."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from support import ROOT
from support.flawed_games import Walk

import a2c_tf.envs
from a2c_tf.config import EnvConfig
from a2c_tf.envs import listing, registration, registry
from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.errors import ConfigError

Command = Callable[..., Any]
MODULE = """
import a2c_tf.envs
from support.flawed_games import Walk

class Stroll(Walk):
    pass

a2c_tf.envs.register("Stroll-v0", Stroll)
"""


class Ramping(Walk):
    """Gets harder, and hands on the other settings."""

    def __init__(self, *arguments: Any, ramping: bool = True, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.ramping = ramping


class Steeper(Ramping):
    def __init__(self, num_envs: int, **settings: Any) -> None:
        super().__init__(num_envs, **settings)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = registration.graph_native_ids()
    yield
    for env_id in set(registration.graph_native_ids()) - set(before):
        registration.unregister(env_id)


@pytest.fixture
def stroll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id with its module, which lies in the working directory."""
    (tmp_path / "module_of_a_stroll.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(ROOT))])
    yield "module_of_a_stroll:Stroll-v0"
    sys.modules.pop("module_of_a_stroll", None)


@pytest.mark.process
def test_the_package_and_its_ids_need_no_tensorflow() -> None:
    code = (
        "import sys, a2c_tf.envs; a2c_tf.envs.registration.graph_native_ids(); "
        "assert not {'tensorflow', 'gymnasium'} & sys.modules.keys(); "
        "assert a2c_tf.envs.GraphEnvironment.__name__ == 'GraphEnvironment'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_package_has_both_names_and_no_others() -> None:
    assert a2c_tf.envs.GraphEnvironment is GraphEnvironment
    assert a2c_tf.envs.register is registration.register
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = a2c_tf.envs.Nothing


def test_every_built_in_id_makes_what_its_spec_says() -> None:
    for env_id in registration.BUILT_IN:
        env = registration.factory_of(env_id)(2)
        assert (env.spec.id, env.spec.num_envs) == (env_id, 2)


@pytest.mark.parametrize("backend", ["auto", "graph"])
def test_a_registered_game_has_all_that_built_in_ones_have(backend: str) -> None:
    a2c_tf.envs.register("Walk-v0", Walk)
    settings = {"max_episode_steps": 9, "sticky_action_probability": 0.5}
    env = registry.make(EnvConfig(id="Walk-v0", num_envs=3, backend=backend, **settings))
    assert (env.spec.id, env.spec.backend, env.spec.num_envs) == ("Walk-v0", "graph", 3)
    assert (env.spec.max_episode_steps, env.sticky_action_probability) == (9, 0.5)
    assert registry.make_spec(EnvConfig(id="Walk-v0", num_envs=5)).num_envs == 5
    assert "Walk-v0" in listing.overview()


def test_its_class_may_have_another_id_or_none() -> None:
    class Named(Walk):
        id = "Something-v7"

    for game in (Walk, Named):
        a2c_tf.envs.register(f"mine/{game.__name__}-v3", game)
        env = registry.make(EnvConfig(id=f"mine/{game.__name__}-v3"))
        assert env.spec.id == f"mine/{game.__name__}-v3"
    assert Walk(2).spec.id == "Walk"


def test_difficulty_is_asked_of_the_signature() -> None:
    factories = {
        "A-v0": Ramping,
        "B-v0": Steeper,
        "C-v0": functools.partial(Steeper, sticky_action_probability=0.1),
        "D-v0": lambda num_envs, ramping=True: Ramping(num_envs, ramping=ramping),
    }
    for env_id, factory in factories.items():
        a2c_tf.envs.register(env_id, factory)
        assert registry.make(EnvConfig(id=env_id)).ramping
        assert not registry.make(EnvConfig(id=env_id, difficulty_ramping=False)).ramping
    a2c_tf.envs.register("Walk-v0", Walk)
    for env_id, setting in (
        ("Walk-v0", {"difficulty_ramping": True}),
        ("D-v0", {"max_episode_steps": 3}),
    ):
        with pytest.raises(ConfigError, match=f"{env_id} has no such setting; leave it null"):
            registry.make(EnvConfig(id=env_id, **setting))


def test_the_module_is_imported_from_the_working_directory(stroll: str) -> None:
    with pytest.raises(ConfigError, match=r"env\.id=Stroll-v0: "):
        registry.make(EnvConfig(id="Stroll-v0"))
    assert registry.default_backend(stroll) == "graph"
    env = registry.make(EnvConfig(id=stroll, num_envs=2))
    assert (env.spec.id, type(env).__name__) == ("Stroll-v0", "Stroll")
    assert registry.make(EnvConfig(id="Stroll-v0")).spec.id == "Stroll-v0"  # imported by now


def test_the_listing_shows_what_a_module_registers(stroll: str) -> None:
    for part in ("module_of_a_stroll:", "module_of_a_stroll:stroll"):
        header, row = listing.matching(part).splitlines()
        assert header.startswith("id ")
        assert row.split() == ["Stroll-v0", "float32", "(2,)", "2", "30", "graph"]
        registration.unregister("Stroll-v0")
        sys.modules.pop("module_of_a_stroll")


def test_the_same_may_be_registered_again() -> None:
    def cell() -> type[Walk]:
        class Again(Walk):
            pass

        return Again

    one, other = cell(), cell()
    for game in (one, one, other):
        a2c_tf.envs.register("Again-v0", game)
        assert registration.factory_of("Again-v0") is game


@pytest.mark.parametrize(
    ("env_id", "factory", "expected"),
    [
        ("CartPole-v1", Walk, "the id is one of a2c_tf's own; choose another"),
        ("Walk-v0", Ramping, "the id is taken by Walk; choose another"),
        ("Walk-v0", lambda num_envs: Walk(num_envs), "the id is taken by Walk"),
        ("my_module:Walk-v1", Walk, "malformed id; expected one such as MyGame-v0"),
        ("no such id", Walk, "malformed id"),
        ("A-v0", gymnasium.Env, "a gymnasium.Env is registered by gymnasium.register"),
        ("A-v0", GraphEnvironment, "has no initial and no observe and no transition"),
        ("A-v0", Walk(1), "expected a class, or a function"),
    ],
)
def test_what_cannot_be_registered_says_why(env_id: str, factory: Any, expected: str) -> None:
    a2c_tf.envs.register("Walk-v0", Walk)
    with pytest.raises(ValueError) as caught:
        a2c_tf.envs.register(env_id, factory)
    assert str(caught.value).startswith(f"register({env_id!r}, ")
    assert expected in str(caught.value)


class Bare(GraphEnvironment[Any]):
    """Has rules, and no spaces."""

    initial = Walk.initial
    transition = Walk.transition
    observe = Walk.observe


class BareInside(Bare):
    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)


def test_a_class_without_spaces_is_refused() -> None:
    with pytest.raises(ValueError, match="has no observation_space and no action_space"):
        a2c_tf.envs.register("Bare-v0", Bare)
    a2c_tf.envs.register("Bare-v0", BareInside)  # whose __init__ might set them
    with pytest.raises(ConfigError, match=r"BareInside.observation_space is None; expected a sp"):
        registry.make(EnvConfig(id="Bare-v0"))


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (lambda num_envs: object(), "returned object; expected an instance of a subclass"),
        (lambda num_envs: 1 / 0, "raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_factory_that_makes_no_game_is_told_in_one_line(factory: Any, expected: str) -> None:
    a2c_tf.envs.register("Broken-v0", factory)
    with pytest.raises(ConfigError, match=expected) as caught:
        registry.make(EnvConfig(id="Broken-v0"))
    assert str(caught.value).startswith("env.id=Broken-v0: ")
