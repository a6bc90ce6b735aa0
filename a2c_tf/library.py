"""Training from a Python program: the function that `a2c_tf.train` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from a2c_tf import cli, policies
from a2c_tf import config as configs
from a2c_tf.callbacks import Callback, Callbacks
from a2c_tf.config import Config
from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir as run_folders
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training.interrupt import Interrupt
from a2c_tf.training.reporter import Reporter

if TYPE_CHECKING:
    from a2c_tf.training.experiment import Begin


class Run(NamedTuple):
    """A run that `train` brought to its end, or that a signal stopped."""

    path: Path
    """of its folder."""
    config: Config
    """all its settings."""
    evaluation: Mapping[str, Any] | None
    """`evaluation.json`: the score of the final agent; None where a signal came before it."""
    env_steps: int
    """environment steps that were taken."""
    finished: bool
    """False where a signal stopped it; go on with `resume=True`."""

    def policy(self, checkpoint: str | None = None) -> policies.Policy:
        """Returns the trained policy, as `a2c_tf.load` does."""
        return policies.load(self.path, checkpoint)

    def metrics(self) -> list[dict[str, float]]:
        """Returns the rows of `metrics.jsonl`."""
        return run_folders.read_metrics(RunDir(self.path).metrics)


def train(
    config: configs.Source | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    run_dir: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Run:
    """Trains a policy, evaluates, plots and exports it, as `python -m a2c_tf.train` does.

    Ctrl-C, SIGTERM and SIGHUP save a checkpoint first; then the signal goes to the handlers that
    were there before, so that Ctrl-C raises KeyboardInterrupt.

    Args:
      config: the name of a config, a YAML path, a `Config`, or a mapping of sections; None: the
        default config, or where `overrides` name an environment what suits that; with `resume`
        that of the run.
      overrides: settings that differ from it, as `{"run.seed": 3}` or `{"run": {"seed": 3}}`.
      run_dir: the run's folder; None: `runs/<config>-<seed>-<time>`.
      callbacks: hear of metrics, evaluations and checkpoints, and may stop the training.
      resume: goes on with the run in `run_dir`.
      overwrite: deletes the run in `run_dir`.
      progress: shows a progress line on stderr.

    Returns:
      Where the run lies, and its score.

    Raises:
      ConfigError: for a setting or folder that is wrong, before anything starts.
      CommandError: for everything else that can go wrong in a run.
    """
    begin = _begin(resume, overwrite)
    listeners = Callbacks(callbacks)
    resolved = _resolve(config, overrides or {}, run_dir, begin)
    if run_dir and begin != "resume":
        run_folders.check_free(Path(run_dir), overwrite)
    with Interrupt() as interrupt:
        resolved = with_defaults(resolved)
        path = Path(run_dir) if run_dir else default_path(_name(config, overrides or {}), resolved)
        reporter = Reporter(progress=progress)
        finished = execute(resolved, path, begin, interrupt, reporter, listeners)
    interrupt.raise_again()
    return _describe(path, finished)


def execute(
    config: Config,
    path: Path,
    begin: Begin,
    interrupted: Callable[[], bool],
    reporter: Reporter,
    callbacks: Callbacks | None = None,
) -> bool:
    """Runs `config` in the folder `path`.

    Args:
      config: all settings.
      path: of the run's folder.
      begin: what the folder holds.
      interrupted: asked now and then whether to save and stop.
      reporter: shows how the run goes.
      callbacks: hear of what is written.

    Returns:
      Whether the run came to its end.

    Raises:
      CommandError: with the exit code; a ConfigError before anything is written.
    """
    # TensorFlow takes seconds to import: not before the user's mistakes are found
    cli.import_tensorflow()
    from a2c_tf.training import experiment

    return experiment.run(config, path, begin, interrupted, reporter, callbacks)


def with_defaults(config: Config) -> Config:
    """Returns the config with every setting, also those that depend on the environment.

    Raises:
      CommandError: where an environment has to be made for that, and cannot be.
    """
    if configs.is_complete(config):
        return config
    cli.import_tensorflow()
    from a2c_tf.training import defaults

    return defaults.with_defaults(config)


def default_path(config_name: str | None, config: Config) -> Path:
    """Returns a new folder, named after the config, or the environment where it has no name."""
    name = config_name or config.env.name.rpartition(":")[-1]
    return run_folders.default_path(name, config.run.seed)


def _begin(resume: bool, overwrite: bool) -> Begin:
    if resume and overwrite:
        raise ConfigError("resume and overwrite: received both; expected one of them")
    return "resume" if resume else "overwrite" if overwrite else "new"


def _resolve(
    source: configs.Source | None,
    overrides: Mapping[str, Any],
    run_dir: str | Path | None,
    begin: Begin,
) -> Config:
    """Returns the config that the arguments of `train` ask for."""
    if begin != "resume":
        return configs.resolve(source, overrides)
    if run_dir is None:
        raise ConfigError("resume: received no folder; expected run_dir, that of the run")
    folder, started_with = run_folders.open_existing(Path(run_dir))
    config = configs.resolve(folder.config if source is None else source, overrides)
    config = configs.complete_from(config, started_with)
    configs.check_resumable(started_with, config)
    return config


def _name(source: configs.Source | None, overrides: Mapping[str, Any]) -> str | None:
    if source is None:
        return configs.default_name(configs.override_words(overrides))
    return str(source) if isinstance(source, str | Path) else None


def _describe(path: Path, finished: bool) -> Run:
    from a2c_tf.runs import checkpoints

    folder = RunDir(path)
    steps = checkpoints.load_newest(folder.checkpoints).counters.env_steps
    config = run_folders.open_existing(path)[1]  # with what depends on the environment
    return Run(path, config, run_folders.read_evaluation(folder, steps), steps, finished)
