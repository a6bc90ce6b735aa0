"""`python -m a2c_tf.envs`: lists the environments and the backends that are installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from a2c_tf import cli
from a2c_tf.errors import ExitCode
from a2c_tf.invocation import program


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    parser = cli.Parser(
        prog=program("a2c_tf.envs"),
        description="List the environments that run in the graph, and what there is on the host.",
    )
    parser.add_argument(
        "filter",
        nargs="?",
        metavar="FILTER",
        help="a part of an id, such as pong: lists each environment of all installed backends with "
        "that in its id; up to 20 are made, to learn their spaces",
    )
    arguments = parser.parse_args(argv)
    cli.say(_text(arguments.filter), sys.stdout)
    return ExitCode.DONE


def _text(part: str | None) -> str:
    cli.import_tensorflow()
    from a2c_tf.envs import listing

    return listing.overview() if part is None else listing.matching(part)


if __name__ == "__main__":
    sys.exit(main())
