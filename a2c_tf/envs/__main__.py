"""`python -m a2c_tf.envs`: lists the environments that there are, or checks one of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from a2c_tf import cli
from a2c_tf.errors import ExitCode
from a2c_tf.invocation import program

with cli.imports():
    from a2c_tf import config as configs


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(list(sys.argv[1:] if argv is None else argv)))


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["check"]:
        return _check(_check_parser().parse_args(arguments[1:]))
    cli.say(_text(_list_parser().parse_args(arguments).filter), sys.stdout)
    return ExitCode.DONE


def _list_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog=program("a2c_tf.envs"),
        description="List the environments that run in the graph, and what there is on the host.",
        epilog="python -m a2c_tf.envs check ID checks an environment.",
    )
    parser.add_argument(
        "filter",
        nargs="?",
        metavar="FILTER",
        help="a part of an id, such as pong: lists each environment of all installed backends with "
        "that in its id; up to 20 are made, to learn their spaces. my_module: lists what importing "
        "that module registers",
    )
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog=f"{program('a2c_tf.envs')} check",
        description="Check an environment: spaces, values, seeds, episode ends, masks, speed; "
        "in the graph purity and compilation, too. Exit code 1: an error was found.",
    )
    parser.add_argument("id", metavar="ID", help="as env.id, such as my_module:MyGame-v0")
    parser.add_argument(
        "overrides", nargs="*", metavar="env.key=value", help="settings of the environment"
    )
    return parser


def _text(part: str | None) -> str:
    cli.import_tensorflow()
    from a2c_tf.envs import listing

    return listing.overview() if part is None else listing.matching(part)


def _check(arguments: argparse.Namespace) -> int:
    """Prints a line for each check and returns the exit code."""
    started = time.perf_counter()
    settings = configs.load(None, [f"env.id={arguments.id}", *arguments.overrides]).env
    cli.import_tensorflow()
    from a2c_tf.acceleration import compilation
    from a2c_tf.envs.checking import checker, findings

    found = []
    compilers = checker.Compilers(compilation.graph, compilation.xla)
    for finding in checker.check(settings, compilers, lambda text: cli.say(text, sys.stderr)):
        found.append(finding)
        cli.say(str(finding), sys.stdout)
    cli.say(findings.summary(found, time.perf_counter() - started), sys.stdout)
    return ExitCode.RUN_ERROR if findings.has_error(found) else ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
