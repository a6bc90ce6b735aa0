"""`python -m a2c_tf.plot`: learning curves of runs, of one config or of several."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from a2c_tf import cli
from a2c_tf.errors import ConfigError, ExitCode
from a2c_tf.invocation import program

with cli.imports():
    from a2c_tf.runs import run_dir
    from a2c_tf.runs.curves import save_curves


def _plot(paths: Sequence[Path], out: Path) -> None:
    runs = [run_dir.open_existing(path)[0] for path in paths]
    try:
        save_curves(runs, out)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--out {out}: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    parser = cli.Parser(
        prog=program("a2c_tf.plot"), description="Draw the learning curves of runs."
    )
    parser.add_argument("run_dirs", nargs="+", type=Path, metavar="RUN_DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    arguments = parser.parse_args(argv)
    _plot(arguments.run_dirs, arguments.out)
    cli.say(arguments.out, sys.stdout)
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
