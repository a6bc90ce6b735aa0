"""`python -m serving PATH`: serves an exported policy over HTTP."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from serving.errors import ListenError, ModelError

SCRIPT = "a2c-serve"
"""the console script, which is a name for this module."""
REQUIREMENTS = (
    "numpy>=2,<3",
    "onnxruntime>=1.31,<2",
    "msgspec>=0.21,<1",
    "starlette>=1.0,<2",
    "uvicorn>=0.54,<1",
    "httptools>=0.6",
)
"""without which it does not start; setup.cfg has them once more."""
EXIT_DONE, EXIT_RUN_ERROR, EXIT_USAGE, EXIT_NO_MODEL, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that reports a mistake in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Prints the mistake as one line and exits."""
        self.exit(EXIT_USAGE, f"error: {message}; see {self.prog} --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Serves until a signal comes, then returns the exit code."""
    _open_descriptors()
    try:
        _serve(_parser().parse_args(arguments))
    except ModelError as error:
        return _fail(error, EXIT_NO_MODEL)
    except ListenError as error:
        return _fail(error, EXIT_RUN_ERROR)
    except ModuleNotFoundError as error:
        return _fail(_missing(error), EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_DONE


def _serve(options: argparse.Namespace) -> None:
    # imported here, since --help needs neither onnxruntime nor uvicorn
    from serving.announcement import announcement
    from serving.app import make_app
    from serving.loading import load_policy
    from serving.server import listen, run

    policy = load_policy(options.path, options.name)
    with listen(options.host, options.port, options.uds) as listener:
        _say(announcement(policy, listener))
        run(make_app(policy), listener)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_program(), description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "path", metavar="PATH", type=Path, help="an export folder, or a policy.onnx"
    )
    parser.add_argument("--host", type=_non_empty, default="127.0.0.1", help="default: %(default)s")
    parser.add_argument(
        "--port", type=_port, default=8000, help="0 takes a free one; default: %(default)s"
    )
    parser.add_argument(
        "--uds", metavar="FILE", type=Path, help="a Unix socket, in place of host and port"
    )
    parser.add_argument(
        "--name", type=_non_empty, help="of the model in URLs; default: the manifest's"
    )
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"received {text!r}, expected a number from 0 to 65535")
    return int(text)


def _non_empty(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("received '', expected a name")
    return text


def _program() -> str:
    return SCRIPT if Path(sys.argv[0]).name == SCRIPT else "python -m serving"


def _missing(error: ModuleNotFoundError) -> Exception:
    """Returns the error that names what to install, or `error` where it is no package of these."""
    names = [requirement.partition(">")[0] for requirement in REQUIREMENTS]
    if error.name not in names:
        raise error
    return Exception(
        f"{error.name} is not installed; {shlex.quote(sys.executable)} -m pip install "
        f"{shlex.join(REQUIREMENTS)}"
    )


def _open_descriptors() -> None:
    """Opens the null device for each standard stream that was closed, as by `2>&-`.

    A socket would get its number, and with it whatever libraries write there.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _say(text: str) -> None:
    """Prints the line where somebody reads; the server runs on where nobody does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: Exception, exit_code: int) -> int:
    if sys.stderr is not None:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
