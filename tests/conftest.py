"""What the tests share."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import multiprocessing.process
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from support import ROOT

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# as in an activated environment, so that `python` in the commands that we print is this one
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

import matplotlib.font_manager  # noqa: F401  its first import ever starts a process
import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.acceleration.sharding import DEFAULT_THREADS
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.runs import checkpoints, metrics, run_dir
from a2c_tf.runs.checkpoint_files import Checkpoint
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training import assembly
from a2c_tf.training.trainer import Trainer

SECONDS = 120  # a bound against hanging, not a measurement

MARK_OF_FIXTURE = {"process": "process", "finished_run": "training", "train": "training"}
STARTS: tuple[tuple[str, Any, str], ...] = (
    ("process", subprocess.Popen, "__init__"),
    ("process", multiprocessing.process.BaseProcess, "start"),
    ("training", Trainer, "train"),
)
"""What a test may call only with a mark."""


def pytest_configure() -> None:
    """Handles signals that a shell's background job, or `nohup`, makes processes ignore."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(tryfirst=True)  # before -m selects by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test by its fixtures, and what compiles by XLA as slow."""
    for item in items:
        for name in MARK_OF_FIXTURE.keys() & set(item.fixturenames):
            item.add_marker(MARK_OF_FIXTURE[name])
        if hasattr(item, "callspec") and item.callspec.params.get("variant") == "xla":
            item.add_marker("slow")


def _failing(message: str) -> Callable[..., None]:
    return lambda *_, **__: pytest.fail(message)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fails a test, or a fixture of it, that starts what only marked tests may start."""
    with pytest.MonkeyPatch.context() as patch:
        for mark, owner, method in STARTS:
            if not item.get_closest_marker(mark):
                message = f"{owner.__name__}.{method} was called: mark this test {mark}"
                patch.setattr(owner, method, _failing(message))
        return (yield)


Variant = Callable[[Callable[..., Any]], Callable[..., Any]]

VARIANTS: dict[str, Variant] = {
    "eager": lambda function: function,
    "graph": lambda function: tf.function(function, autograph=False),
    "xla": lambda function: tf.function(function, jit_compile=True, autograph=False),
}


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    """Runs a function eagerly, as a graph, or as an XLA program."""
    return VARIANTS[request.param]


class Outcome(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def mistake(self) -> str:
        """What a user's mistake is answered with: one line on stderr, and nothing on stdout."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line.removeprefix("error: ")


Command = Callable[..., Outcome]
"""(module, *arguments) -> outcome of `python -m module *arguments`."""


@pytest.fixture(scope="session")
def command() -> Command:
    """A command in this process, which has TensorFlow already."""

    def run(module: str, *arguments: str | Path) -> Outcome:
        main = importlib.import_module(module).main
        out, err = io.StringIO(), io.StringIO()
        with (
            # a process that has TensorFlow already would be warned that its threads stay
            mock.patch.object(assembly, "apply_threads", lambda threads: DEFAULT_THREADS),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as end:  # of argparse
                code = end.code
        return Outcome(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def process() -> Command:
    """A command in a process of its own, in the working directory of the test."""

    def run(module: str, *arguments: str | Path, **keywords: Any) -> Outcome:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **keywords.pop("env", {})}
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            **keywords,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def content() -> Callable[[Path], dict[str, bytes]]:
    """The files of a folder, by their paths in it."""

    def content(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return content


SMALL_RUN = (
    "cartpole",
    "a2c.unroll_length=2",  # the fewer steps, the sooner compiled
    "run.total_steps=20_000",
    "run.updates_per_call=25",
    "run.log_every=4_000",
    "run.save_every=8_000",
    "run.eval_every=15_000",
    "run.eval_episodes=7",
)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, command: Command) -> RunDir:
    """A whole run as a user starts it; not to be written to."""
    path = tmp_path_factory.mktemp("finished") / "run"
    outcome = command("a2c_tf.train", *SMALL_RUN, "--run-dir", path)
    assert outcome.code == 0, outcome.err
    return RunDir(path)


class Calls:
    """An interrupt that comes after so many calls of the training step; None: never."""

    def __init__(self, number: int | None) -> None:
        self._left = number

    def __call__(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0


@pytest.fixture(scope="session")
def train() -> Callable[..., Trainer]:
    """Training alone, without evaluation and export, into a new folder or from a checkpoint."""

    def train(
        config: Config, path: Path, checkpoint: Checkpoint | None = None, calls: int | None = None
    ) -> Trainer:
        folder = RunDir(path) if checkpoint else run_dir.create(path, config)
        trainer = Trainer(registry.make(config.env), config, folder, checkpoint)
        writer = metrics.JsonLines(folder.metrics, resume_at=trainer.counters.env_steps)
        try:
            trainer.train(writer, Calls(calls))
        finally:
            writer.close()
        return trainer

    return train


@pytest.fixture(scope="session")
def digest() -> Callable[[Mapping[str, np.ndarray]], str]:
    """SHA-256 of arrays: their names, types, shapes and bytes."""

    def digest(arrays: Mapping[str, np.ndarray]) -> str:
        total = hashlib.sha256()
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            total.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        return total.hexdigest()

    return digest


@pytest.fixture(scope="session")
def state(digest: Callable[..., str]) -> Callable[[RunDir], dict[str, Any]]:
    """All that two runs can have in common: nothing that a clock measured."""

    def state(folder: RunDir) -> dict[str, Any]:
        newest = checkpoints.load_newest(folder.checkpoints)
        rows = run_dir.read_metrics(folder.metrics)
        clock = ("time_s", "steps_per_second")
        return {
            "counters": newest.counters._replace(time_s=0.0),
            "model": digest(newest.model),
            "optimizer": digest(newest.optimizer),
            "unroll": digest(newest.unroll),
            "rows": [{n: v for n, v in row.items() if n not in clock} for row in rows],
        }

    return state
