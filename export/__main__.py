"""`python -m export RUN_DIR`: writes a run's policy as ONNX and SavedModel."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from a2c_tf import cli
from a2c_tf.errors import ExitCode
from a2c_tf.invocation import command_line, program

with cli.imports():
    from a2c_tf.config import Config
    from a2c_tf.runs import run_dir
    from a2c_tf.runs.run_dir import RunDir


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    _export(*run_dir.open_existing(arguments.run_dir), arguments)
    return ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog=program("export"),
        description="Write a run's policy as files that act as the agent did.",
    )
    parser.add_argument(
        "run_dir", type=Path, metavar="RUN_DIR", help="a folder that training wrote"
    )
    parser.add_argument("--out", type=Path, help="default: RUN_DIR/export")
    parser.add_argument("--checkpoint", default="last", help="best, last or a number of steps")
    parser.add_argument("--format", default="all", choices=("onnx", "saved_model", "all"))
    return parser


def _export(folder: RunDir, config: Config, arguments: argparse.Namespace) -> None:
    cli.import_tensorflow()
    from a2c_tf.agent import load_agent
    from a2c_tf.envs.host.failures import report_errors
    from a2c_tf.runs import checkpoints, observations
    from export import exporting, manifest
    from export.parity import ParityError

    checkpoint = checkpoints.load_selected(folder.checkpoints, arguments.checkpoint)
    evaluation = run_dir.read_evaluation(folder, checkpoint.counters.env_steps)
    out = arguments.out or folder.export
    with report_errors():
        agent = load_agent(config, checkpoint)
        observed = observations.load(folder.observed)
        source = manifest.Source(agent, config, checkpoint.counters, evaluation, observed)
        try:
            checked = exporting.export_agent(source, out, arguments.format)
        except ParityError as error:
            raise ParityError(
                f"{error}; the export is at fault, not the run: please report it, with "
                f"checkpoint {checkpoint.counters.env_steps} and config.yaml of {folder.path}"
            ) from None
    worst = max(checked.max_difference.values())
    cli.say(
        f"parity    {checked.observations:,} observations, largest difference {worst:.1e}\n"
        f"policy    {out}\nserve it  {command_line('serving', out)}",
        sys.stdout,
    )


if __name__ == "__main__":
    sys.exit(main())
