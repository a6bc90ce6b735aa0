"""How commands start and end: missing packages, Ctrl-C, closed streams, files of the user's."""

from __future__ import annotations

import importlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from a2c_tf import cli, dependencies, invocation
from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir
from a2c_tf.runs.run_dir import RunDir
from serving import loading

Command = Callable[..., Any]

WITHOUT = """
import runpy, sys

missing, module, *arguments = sys.argv[1:]

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run(*arguments: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """Runs a process to its end, in this checkout unless `cwd` is given."""
    keywords = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120, **keywords}
    return subprocess.run(arguments, **keywords)


@pytest.mark.process
@pytest.mark.parametrize(
    ("missing", "module", "arguments", "package"),
    [
        ("pydantic", "a2c_tf.train", ["--list"], "pydantic>=2"),
        ("ruamel", "a2c_tf.evaluate", ["run"], "ruamel.yaml>=0.18"),
        ("pydantic", "export", ["run"], "pydantic>=2"),
        ("matplotlib", "a2c_tf.plot", ["run", "--out", "x.png"], "matplotlib>=3"),
        ("PIL", "a2c_tf.evaluate", ["run"], "pillow>=12"),
        ("tensorflow", "a2c_tf.envs", [], "tensorflow>=2.21,<2.22', or 'tensorflow-cpu>=2.21"),
        ("keras", "a2c_tf.envs", [], "keras>=3"),
        ("tf2onnx", "a2c_tf.train", ["cartpole", "--run-dir", "/nowhere/run"], "tf2onnx>=1.17"),
        ("numpy", "serving", ["export"], "numpy>=2"),
        ("onnxruntime", "serving", ["export"], "onnxruntime>=1.31"),
        ("msgspec", "serving", ["export"], "msgspec>=0.21"),
        ("starlette", "serving", ["export"], "starlette>=1.0"),
        ("uvicorn", "serving", ["export"], "uvicorn>=0.54"),
    ],
)
def test_a_missing_package_is_one_line(
    missing: str, module: str, arguments: list[str], package: str
) -> None:
    done = run(sys.executable, "-c", WITHOUT, missing, module, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and " is not installed; " in line
    assert f"-m pip install '{package}" in line or f" '{package}" in line


def test_a_missing_module_of_somebody_else_is_no_package_of_ours() -> None:
    assert dependencies.missing(ModuleNotFoundError(name="my_module")) is None
    assert dependencies.missing(ModuleNotFoundError()) is None
    with pytest.raises(ModuleNotFoundError, match="my_module"):
        cli.run_command(lambda: importlib.import_module("my_module") and 0)


def test_a_missing_backend_is_installed_with_all_that_its_extra_has() -> None:
    text = dependencies.missing(ModuleNotFoundError(name="ale_py.vector_env"))
    assert text is not None and text.startswith("ale-py is not installed; ")
    assert text.endswith("pip install 'ale-py>=0.12,<0.13' 'opencv-python-headless>=4'")


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_ends_every_command_without_a_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_dir, "open_existing", interrupted)
    monkeypatch.setattr(cli, "import_tensorflow", interrupted)
    monkeypatch.setattr(loading, "load_policy", interrupted)
    for module, arguments in {
        "a2c_tf.evaluate": ["run"],
        "a2c_tf.plot": ["run", "--out", "x.png"],
        "a2c_tf.envs.__main__": [],
        "export.__main__": ["run"],
        "serving.__main__": ["export"],
    }.items():
        assert tuple(command(module, *arguments)) == (130, "", ""), module


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["--help"], ["--list"], ["--print-config"]])
def test_a_reader_that_is_gone_is_no_error(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = (sys.executable, "-m", "a2c_tf.train", *arguments)
    done = run(*command, stdout=writer, stderr=subprocess.PIPE, capture_output=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
@pytest.mark.parametrize("module", ["a2c_tf.evaluate", "export", "serving"])
def test_a_closed_stderr_changes_no_exit_code_and_no_output(module: str) -> None:
    line = shlex.join([sys.executable, "-m", module, "no/such/folder"])
    done = run("sh", "-c", f"{line} 2>&-")
    assert done.returncode in (2, 3)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.process
def test_files_that_are_opened_do_not_take_the_number_of_a_closed_stream() -> None:
    code = "from a2c_tf import cli; cli.run_command(lambda: print(open('setup.cfg').fileno()) or 0)"
    done = run("sh", "-c", f"{shlex.join([sys.executable, '-c', code])} 2>&-")
    assert int(done.stdout) > 2


def test_an_ascii_terminal_takes_every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert cli.run_command(lambda: cli.say("20 ± 3", sys.stdout) or 0) == 0
    assert written.getvalue() == b"20 ? 3\n"


def test_a_command_to_paste_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/a2c_tf/train.py"])
    path = Path("it's [1]/run")
    line = invocation.command_line("a2c_tf.train", "--run-dir", path, "--resume")
    assert line == """python -m a2c_tf.train --run-dir 'it'"'"'s [1]/run' --resume"""
    assert shlex.split(line)[-2] == str(path)


def test_a_command_to_paste_starts_as_this_one_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("python", "a2c-train", "a2c-serve"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "a2c-train")])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.chdir(tmp_path.parent)
    near = Path(tmp_path.name)
    assert invocation.program("a2c_tf.train") == "a2c-train"
    assert invocation.program("a2c_tf.plot") == "python -m a2c_tf.plot"
    assert invocation.command_line("serving", "export") == f"{near / 'a2c-serve'} export"
    assert invocation.command_line("a2c_tf.plot") == f"{near / 'python'} -m a2c_tf.plot"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert invocation.command_line("serving", "export") == "a2c-serve export"
    assert invocation.command_line("a2c_tf.plot") == "python -m a2c_tf.plot"


def test_a_console_script_finds_modules_in_the_current_folder_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/somewhere/bin"])
    invocation.allow_user_modules()
    invocation.allow_user_modules()
    assert sys.path == ["/somewhere/bin", str(tmp_path)]


@pytest.mark.process
@pytest.mark.parametrize("file", ["export.py", "export/__init__.py"])
def test_our_export_is_imported_where_the_user_has_a_file_of_that_name(
    file: str, tmp_path: Path
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("raise SystemExit('the file of the user was executed')")
    code = (
        "from a2c_tf import invocation; invocation.import_own('export'); "
        "import export.manifest_of_none"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = run(sys.executable, "-c", code, cwd=tmp_path, env=environment)
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: No module named 'export.manifest_of_none'"
    )
    assert done.returncode == 1


def test_a_module_of_the_name_of_ours_that_is_imported_already_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = type(sys)("export")
    theirs.__file__ = str(tmp_path / "export.py")
    monkeypatch.setitem(sys.modules, "export", theirs)
    with pytest.raises(ConfigError, match=r"module export: .*export\.py was imported, .*; rename"):
        invocation.import_own("export")


@pytest.mark.process
@pytest.mark.training
def test_a_run_in_an_awkward_folder_ends_with_an_export_and_a_command_to_paste(
    tmp_path: Path, process: Command
) -> None:
    here = tmp_path / "it's [1] *"
    (here / "serving").mkdir(parents=True)
    for file in ("export.py", "serving/__init__.py"):
        (here / file).write_text("raise RuntimeError('the file of the user was executed')")
    settings = (
        *("run.compile=mixed", "run.total_steps=200", "run.eval_episodes=2"),
        *("network.hidden=[8]", "a2c.unroll_length=2", "env.num_envs=2"),
    )
    outcome = process(
        *("a2c_tf.train", "cartpole", *settings, "--run-dir", here / "run"),
        cwd=here,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert outcome.code == 0, outcome.err
    assert " ? " in outcome.out
    (line,) = (row for row in outcome.out.splitlines() if row.startswith("serve it "))
    folder = RunDir(here / "run").export
    assert shlex.split(line)[-3:] == ["-m", "serving", str(folder)]
    assert {path.name for path in folder.iterdir()} == {
        "policy.onnx",
        "saved_model",
        "manifest.json",
    }
