"""`python -m a2c_tf.train`: trains, evaluates, plots and exports one run."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from a2c_tf import cli
from a2c_tf.errors import ConfigError, ExitCode
from a2c_tf.invocation import program

with cli.imports():
    from a2c_tf import config as configs
    from a2c_tf.config import Config
    from a2c_tf.runs import run_dir

DEFAULT_CONFIG = "minatar_breakout"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_intermixed_args(argv)
    if arguments.list:
        cli.say("\n".join(configs.names()), sys.stdout)
        return ExitCode.DONE
    config = _resolve(arguments)
    if arguments.print_config:
        cli.say(configs.to_yaml(config), sys.stdout, end="")
        return ExitCode.DONE
    return _run(config, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog=program("a2c_tf.train"),
        description="Train an advantage actor-critic, evaluate it, plot it, export it.",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="CONFIG | section.key=value",
        help=f"a YAML path or the name of a config (--list), default {DEFAULT_CONFIG}; "
        "and settings that differ from it, as a2c.gamma=0.99 run.seed=3",
    )
    parser.add_argument("--run-dir", type=Path, help="default: runs/<config>-<seed>-<time>")
    exclusive = parser.add_mutually_exclusive_group()
    exclusive.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    exclusive.add_argument("--overwrite", action="store_true", help="delete the run in --run-dir")
    parser.add_argument("--print-config", action="store_true", help="print all settings and stop")
    parser.add_argument("--list", action="store_true", help="list the configs by name and stop")
    return parser


def _resolve(arguments: argparse.Namespace) -> Config:
    """Returns the config that the command line asks for."""
    overrides = [word for word in arguments.words if "=" in word]
    name = _config_name(arguments)
    if not arguments.resume:
        return configs.load(name or DEFAULT_CONFIG, overrides)
    if arguments.run_dir is None:
        raise ConfigError("--resume: received no folder; add --run-dir DIR")
    folder, started_with = run_dir.open_existing(arguments.run_dir)
    config = configs.load(name or str(folder.config), overrides)
    configs.check_resumable(started_with, config)
    return config


def _config_name(arguments: argparse.Namespace) -> str | None:
    names = [word for word in arguments.words if "=" not in word]
    if len(names) > 1:
        raise ConfigError(f"received the configs {', '.join(names)}; expected one")
    return names[0] if names else None


def _run(config: Config, arguments: argparse.Namespace) -> int:
    name = _config_name(arguments) or DEFAULT_CONFIG
    if arguments.run_dir and not arguments.resume:
        run_dir.check_free(arguments.run_dir, arguments.overwrite)
    interrupt = Interrupt()
    # TensorFlow takes seconds to import: not before the user's mistakes are found
    cli.import_tensorflow()
    from a2c_tf.training import experiment

    begin: experiment.Begin = (
        "resume" if arguments.resume else "overwrite" if arguments.overwrite else "new"
    )
    path = arguments.run_dir or run_dir.default_path(name, config.run.seed)
    finished = experiment.run(config, path, begin, interrupt)
    return ExitCode.DONE if finished else interrupt.exit_code


class Interrupt:
    """Lets SIGINT and SIGTERM ask the loop to save and stop; a second signal ends at once."""

    def __init__(self) -> None:
        self.exit_code = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def __call__(self) -> bool:
        return bool(self.exit_code)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        interrupted = number == signal.SIGINT
        self.exit_code = ExitCode.INTERRUPTED if interrupted else ExitCode.SAVED_AFTER_SIGNAL
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
