"""`python -m a2c_tf.evaluate RUN_DIR`: plays episodes with a trained agent, and films one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2c_tf import cli
from a2c_tf.errors import ExitCode
from a2c_tf.invocation import program

with cli.imports():
    from a2c_tf.config import Config
    from a2c_tf.evaluation import video
    from a2c_tf.runs import run_dir
    from a2c_tf.runs.run_dir import RunDir

if TYPE_CHECKING:
    from a2c_tf.runs.checkpoint_files import Checkpoint


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    return cli.run_command(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    evaluation = _evaluate(*run_dir.open_existing(arguments.run_dir), arguments)
    cli.say(json.dumps(evaluation, indent=2), sys.stdout)
    return ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog=program("a2c_tf.evaluate"), description="Play episodes with a trained agent."
    )
    parser.add_argument(
        "run_dir", type=Path, metavar="RUN_DIR", help="a folder that training wrote"
    )
    parser.add_argument("--episodes", type=cli.at_least(1), default=100)
    parser.add_argument("--sampled", action="store_true", help="sampled, not greedy actions")
    parser.add_argument(
        "--seed", type=cli.at_least(0), default=0, help="of environments and actions"
    )
    parser.add_argument("--checkpoint", default="last", help="best, last or a number of steps")
    parser.add_argument(
        "--video", type=Path, metavar="FILE", help="a .gif or .mp4 of one episode, to be written"
    )
    return parser


def _evaluate(folder: RunDir, config: Config, arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.video:
        video.check(arguments.video)
    cli.import_tensorflow()
    from a2c_tf.agent import load_agent
    from a2c_tf.envs.host.failures import report_errors
    from a2c_tf.evaluation.evaluator import make_eval_env, make_evaluator
    from a2c_tf.runs import checkpoints
    from a2c_tf.runs.progress import PlainStatus, episodes_report
    from a2c_tf.training import assembly

    checkpoint = checkpoints.load_selected(folder.checkpoints, arguments.checkpoint)
    deterministic = not arguments.sampled
    threads = assembly.choose_threads(config)  # as in training: threads may change rounding
    if arguments.video:
        _film(config, checkpoint, arguments)
    with closing(make_eval_env(config.env, arguments.episodes)) as env, report_errors(env):
        agent = load_agent(config, checkpoint, env.spec)
        evaluator = make_evaluator(agent, config, arguments.episodes, deterministic, threads, env)
        report = episodes_report(PlainStatus())
        result = evaluator.evaluate(arguments.episodes, arguments.seed, report=report)
    return {
        **result.summary(),
        "environment": config.env.name,
        "deterministic": deterministic,
        "seed": arguments.seed,
        "env_steps": checkpoint.counters.env_steps,
    }


def _film(config: Config, checkpoint: Checkpoint, arguments: argparse.Namespace) -> None:
    """Writes the video, and describes it on stderr."""
    from a2c_tf.agent import load_agent
    from a2c_tf.envs.host.failures import report_errors
    from a2c_tf.evaluation.evaluator import make_evaluator
    from a2c_tf.evaluation.recording import Recording, make_drawable_env

    with closing(make_drawable_env(config)) as env, report_errors(env):
        agent = load_agent(config, checkpoint, env.spec)
        evaluator = make_evaluator(agent, config, 1, not arguments.sampled, env=env)
        recording = Recording(evaluator, config)
        frames = recording.frames(arguments.seed)
        video.write(arguments.video, frames, recording.frames_per_second)
    cut = "" if recording.complete else ", cut there"
    cli.say(
        f"video: {arguments.video}, {recording.steps} steps{cut}, "
        f"return {recording.episode_return:g}",
        sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
