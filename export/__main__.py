"""`python -m export RUN_DIR`: writes a run's policy as ONNX and SavedModel."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from a2c_tf import command_line, run_dir, startup
from a2c_tf.config import Config, ConfigError
from a2c_tf.run_dir import RunDir


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        folder, config = run_dir.open_existing(arguments.run_dir)
        return _export(folder, config, arguments)
    except ConfigError as error:
        return command_line.fail(error, command_line.BAD_CONFIG)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="python -m export",
        description="Write a run's policy as files that act as the agent did.",
    )
    parser.add_argument(
        "run_dir", type=Path, metavar="RUN_DIR", help="a folder that training wrote"
    )
    parser.add_argument("--out", type=Path, help="default: RUN_DIR/export")
    parser.add_argument("--checkpoint", default="last", help="best, last or a number of steps")
    parser.add_argument("--format", default="all", choices=("onnx", "saved_model", "all"))
    return parser


def _export(folder: RunDir, config: Config, arguments: argparse.Namespace) -> int:
    startup.import_tensorflow()
    from a2c_tf import builders, checkpointing
    from export import exporting, manifest, parity

    out = arguments.out or folder.export
    try:
        checkpoint = checkpointing.load_selected(folder.checkpoints, arguments.checkpoint)
        agent = builders.load_agent(config, checkpoint)
        evaluation = run_dir.read_evaluation(folder, checkpoint.counters.env_steps)
        source = manifest.Source(agent, config, checkpoint.counters, evaluation)
        checked = exporting.export_agent(source, out, arguments.format)
    except checkpointing.CheckpointError as error:
        return command_line.fail(error, command_line.NO_CHECKPOINT)
    except parity.ParityError as error:
        return command_line.fail(error, command_line.RUN_ERROR)
    worst = max(checked.max_difference.values())
    print(f"parity    {checked.observations:,} observations, largest difference {worst:.1e}")
    print(f"policy    {out}\nserve it  python -m serving {out}")
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())
