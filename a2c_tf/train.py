"""`python -m a2c_tf.train`: trains, evaluates, plots and exports one run.

The function `a2c_tf.train` is that of `a2c_tf/library.py`, which this module, called, is too.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from a2c_tf import cli
from a2c_tf.errors import ConfigError, ExitCode
from a2c_tf.invocation import program

with cli.imports():
    from a2c_tf import config as configs
    from a2c_tf import library
    from a2c_tf.config import DEFAULT_CONFIG, Config
    from a2c_tf.runs import run_dir
    from a2c_tf.training.interrupt import Interrupt
    from a2c_tf.training.reporter import Reporter

if TYPE_CHECKING:
    from a2c_tf.training.experiment import Begin


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_intermixed_args(argv)
    if arguments.list:
        cli.say(configs.table(), sys.stdout)
        return ExitCode.DONE
    config = _resolve(arguments)
    if arguments.print_config:
        config = library.with_defaults(config)
        cli.say(configs.to_commented_yaml(config), sys.stdout, end="")
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
        help=f"a YAML path or the name of a config (--list), default {DEFAULT_CONFIG}, or with "
        "env.id=... what suits the environment; and settings that differ from it, as run.seed=3",
    )
    parser.add_argument("--run-dir", type=Path, help="default: runs/<config>-<seed>-<time>")
    exclusive = parser.add_mutually_exclusive_group()
    exclusive.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    exclusive.add_argument("--overwrite", action="store_true", help="delete the run in --run-dir")
    parser.add_argument(
        "--print-config", action="store_true", help="print all settings with their meaning and stop"
    )
    parser.add_argument("--list", action="store_true", help="list the configs and stop")
    return parser


def _resolve(arguments: argparse.Namespace) -> Config:
    """Returns the config that the command line asks for."""
    overrides = _overrides(arguments)
    name = _config_name(arguments)
    if not arguments.resume:
        return configs.load(name or configs.default_name(overrides), overrides)
    if arguments.run_dir is None:
        raise ConfigError("--resume: received no folder; add --run-dir DIR")
    folder, started_with = run_dir.open_existing(arguments.run_dir)
    config = configs.load(name or str(folder.config), overrides)
    config = configs.complete_from(config, started_with)
    configs.check_resumable(started_with, config)
    return config


def _overrides(arguments: argparse.Namespace) -> list[str]:
    return [word for word in arguments.words if "=" in word]


def _config_name(arguments: argparse.Namespace) -> str | None:
    names = [word for word in arguments.words if "=" not in word]
    if len(names) > 1:
        raise ConfigError(f"received the configs {', '.join(names)}; expected one")
    return names[0] if names else None


def _run(config: Config, arguments: argparse.Namespace) -> int:
    name = _config_name(arguments) or configs.default_name(_overrides(arguments))
    begin: Begin = "resume" if arguments.resume else "overwrite" if arguments.overwrite else "new"
    reporter = Reporter(functools.partial(cli.say, stream=sys.stdout), progress=True)
    if arguments.run_dir and begin != "resume":
        run_dir.check_free(arguments.run_dir, arguments.overwrite)
    with Interrupt() as interrupt:
        config = library.with_defaults(config)
        path = arguments.run_dir or library.default_path(name, config)
        finished = library.execute(config, path, begin, interrupt, reporter)
    return ExitCode.DONE if finished else interrupt.exit_code


class _CallableModule(ModuleType):
    """Lets `a2c_tf.train(...)` train, also after `import a2c_tf.train`.

    That import makes this module the attribute `train` of the package, in place of the function.
    """

    __call__ = staticmethod(library.train)
    __signature__ = inspect.signature(library.train)  # else without the first argument


sys.modules[__name__].__class__ = _CallableModule

if __name__ == "__main__":
    sys.exit(main())
