"""`import a2c_tf`: light, and `a2c_tf.train` is the function, in whatever order one imports."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

import a2c_tf

IMPORTED = """
import sys
before = set(sys.modules)
import a2c_tf
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def python(code: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.process
def test_the_import_loads_the_standard_library_alone() -> None:
    loaded = set(python(IMPORTED).split())
    assert "a2c_tf" in loaded
    assert loaded - {"a2c_tf"} <= sys.stdlib_module_names


TRAIN = """
import importlib, inspect, sys
{imports}
assert callable({name}), {name}
assert list(inspect.signature({name}).parameters)[:2] == ["config", "overrides"]
try:
    {name}("no_such_config")
except importlib.import_module("a2c_tf").ConfigError as error:
    assert "no such name" in str(error)
else:
    raise AssertionError
command = importlib.import_module("a2c_tf.train")
assert command.main(["--list"]) == 0
assert {name}.__call__ and importlib.import_module("a2c_tf").train is {after}
assert "tensorflow" not in sys.modules
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("imports", "name", "after"),
    [
        ("import a2c_tf", "a2c_tf.train", "command"),
        ("import a2c_tf; a2c_tf.train", "a2c_tf.train", "command"),
        ("import a2c_tf.train", "a2c_tf.train", "command"),
        ("import a2c_tf.train as train", "train", "command"),
        ("from a2c_tf import train", "train", "command"),
        ("from a2c_tf.train import main; from a2c_tf import train", "train", "train"),
    ],
)
def test_train_is_callable_whatever_was_imported(imports: str, name: str, after: str) -> None:
    python(TRAIN.format(imports=imports, name=name, after=after))


def test_every_public_name_is_there_and_documented() -> None:
    for name in a2c_tf.__all__:
        assert name in dir(a2c_tf)
        if name != "__version__":
            assert inspect.getdoc(getattr(a2c_tf, name))
    assert a2c_tf.envs.__name__ == "a2c_tf.envs"


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        a2c_tf.trian  # noqa: B018


def test_types_are_declared() -> None:
    assert (ROOT / "a2c_tf" / "py.typed").is_file()
    assert "a2c_tf = py.typed" in (ROOT / "setup.cfg").read_text(encoding="utf-8")
