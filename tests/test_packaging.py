"""What `pip install .` installs, and what a source distribution holds."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from support import ROOT

from a2c_tf import dependencies, invocation
from serving import __main__ as server

LEFT_OUT = {".ci/run", ".gitignore"}
"""files of the repository that a source distribution has no use for."""

BUILD = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def extras() -> dict[str, list[str]]:
    section = settings()["options.extras_require"]
    return {name: section[name].strip().splitlines() for name in section}


def test_every_package_is_installed() -> None:
    named = settings()["options"]["packages"].split()
    folders = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("a2c_tf", "export", "serving")
        for file in (ROOT / top).rglob("__init__.py")
    }
    assert len(folders) > 5
    assert sorted(named) == sorted(folders | {"a2c_tf.configs"})


def test_either_tensorflow_satisfies() -> None:
    """Nothing requires one of them, and their extras take the same versions."""
    required = settings()["options"]["install_requires"].split()
    both = {"tensorflow", "tensorflow-cpu"}
    others = [line for name, lines in extras().items() if name not in both for line in lines]
    assert not [line for line in (*required, *others) if line.startswith("tensorflow")]
    (either,), (cpu,) = extras()["tensorflow"], extras()["tensorflow-cpu"]
    assert either.removeprefix("tensorflow") == cpu.removeprefix("tensorflow-cpu")
    pinned = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    (line,) = (line for line in pinned if line.startswith("tensorflow"))
    assert line.startswith("tensorflow==")  # as the Makefile's TENSORFLOW replaces it


def test_errors_name_the_requirements_of_setup_cfg() -> None:
    assert tuple(settings()["options"]["install_requires"].split()) == dependencies.REQUIRED
    assert {name: tuple(extras()[name]) for name in dependencies.EXTRAS} == dependencies.EXTRAS
    assert set(server.REQUIREMENTS) <= set(extras()["serve"])


def test_no_requirement_is_ourselves() -> None:
    """No package index has a2c_tf, and another's of that name might be there one day."""
    added = [line for lines in extras().values() for line in lines]
    every = [*settings()["options"]["install_requires"].split(), *added]
    assert not [line for line in every if "a2c" in line.lower()]
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("a2c_tf/**/*.py")):
        assert "a2c_tf[" not in path.read_text("utf-8"), path


def test_console_scripts_are_those_that_messages_name() -> None:
    lines = settings()["options.entry_points"]["console_scripts"].strip().splitlines()
    scripts = dict(line.split(" = ") for line in lines)
    assert set(scripts) == set(invocation.SCRIPTS.values())
    for module, script in invocation.SCRIPTS.items():
        target, _, function = scripts[script].partition(":")
        assert target in (module, f"{module}.__main__") and function == "main"
        assert (ROOT / Path(*target.split("."))).with_suffix(".py").is_file()


@pytest.mark.process
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a source distribution has no repository")
def test_a_source_distribution_holds_the_repository(tmp_path: Path) -> None:
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in files:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes((ROOT / name).read_bytes())
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", BUILD, str(out)]
    done = subprocess.run(command, cwd=tmp_path / "source", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (archive,) = out.iterdir()
    with tarfile.open(archive) as tar:
        held = {member.name.partition("/")[2] for member in tar.getmembers() if member.isfile()}
    made = {name for name in held if name == "PKG-INFO" or name.startswith("a2c_tf.egg-info/")}
    assert held - made - {"setup.cfg"} == files - LEFT_OUT - {"setup.cfg"}
    assert "setup.cfg" in held
