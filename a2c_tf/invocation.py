"""How this process was started, and what follows from it: commands to paste, modules to import."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

from a2c_tf.errors import ConfigError

SCRIPTS = {
    "a2c_tf.train": "a2c-train",
    "a2c_tf.evaluate": "a2c-evaluate",
    "export": "a2c-export",
    "serving": "a2c-serve",
}
"""module -> the console script that `pip install` makes for it; setup.cfg has the same."""


def program(module: str) -> str:
    """Returns the name of a command for its help: of a console script if one was started."""
    return SCRIPTS[module] if _by_script(module) else f"python -m {module}"


def command_line(module: str, *arguments: object) -> str:
    """Returns a command of ours as one pastes it into a POSIX shell in this folder.

    Args:
      module: of the command, as "a2c_tf.train".
      *arguments: of the command; each is quoted where the shell would change it.

    Returns:
      `python -m module arguments`, with the path of the interpreter where `python` is another
      one; where a console script was started, the console script of `module`.
    """
    if _by_script(module):
        words = [_as_typed(Path(sys.argv[0]).with_name(SCRIPTS[module]))]
    else:
        words = [python(), "-m", module]
    return " ".join([*words, *(shlex.quote(str(argument)) for argument in arguments)])


def python() -> str:
    """Returns the word that starts this interpreter: `python`, or its path if that is another."""
    executable = Path(sys.executable)
    for name in ("python", "python3"):
        file = executable.with_name(name)
        if _as_typed(file) == name:
            return name
    return _as_typed(executable)


def allow_user_modules() -> None:
    """Puts the current folder at the end of `sys.path`, where a console script leaves it out.

    So `env.id=my_module:MyEnv-v0` finds the user's module, and nothing there hides ours.
    """
    here = str(Path.cwd())
    if not {"", here} & set(sys.path):
        sys.path.append(here)


def import_own(package: str) -> None:
    """Imports the top-level package beside a2c_tf, whatever else has its name on `sys.path`.

    `python -m` puts the current folder first on it, where a user may have an `export.py`.

    Args:
      package: its name, "export".

    Raises:
      ConfigError: where another module of that name was imported before.
    """
    beside = Path(__file__).resolve().parent.parent
    present = sys.modules.get(package)
    if present is None:
        spec = importlib.machinery.PathFinder.find_spec(package, [str(beside)])
        assert spec is not None and spec.loader is not None, f"no package {package} in {beside}"
        sys.modules[package] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif not _lies_in(present.__file__, beside / package):
        raise ConfigError(
            f"module {package}: {present.__file__} was imported, where a2c_tf needs its own "
            f"package {beside / package}; rename the file"
        )


def _lies_in(file: str | None, folder: Path) -> bool:
    return file is not None and Path(file).resolve().parent == folder


def _by_script(module: str) -> bool:
    return module in SCRIPTS and Path(sys.argv[0]).name in SCRIPTS.values()


def _as_typed(file: Path) -> str:
    """Returns the shortest words for a program: its name if the shell finds it by that."""
    # neither symlink is resolved: the interpreter of a virtual environment is one
    found = shutil.which(file.name)
    if found and Path(found).absolute() == file.absolute():
        return file.name
    here, path = Path.cwd(), file.absolute()
    near = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return shlex.quote(near if os.sep in near else f"{os.curdir}{os.sep}{near}")
