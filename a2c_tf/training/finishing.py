"""What comes after training, and its rehearsal before: evaluation, curves, export, summary."""

from __future__ import annotations

import math
import time
from typing import Any

from a2c_tf.errors import CommandError
from a2c_tf.invocation import command_line
from a2c_tf.runs import observations, run_dir
from a2c_tf.runs.curves import save_curves
from a2c_tf.runs.metrics import Writer
from a2c_tf.runs.progress import episodes_report
from a2c_tf.training.run_context import RunContext
from export import exporting
from export.manifest import Source

MODES = {True: "greedy", False: "sampled"}
CLEAR_ERRORS, CLEAR_SHARE = 4.0, 0.1
"""standard errors, and share of the better score, from which on two scores differ for certain."""

RANDOMNESS_COSTS = "random actions still cost score: act with greedy ones, or train longer"
RANDOMNESS_HELPS = (
    "greedy actions get stuck somewhere: act with sampled ones (deterministic=false), or train "
    "longer"
)


def rehearse(run: RunContext) -> None:
    """Builds all that comes after training, so that nothing fails then that could fail now.

    Raises:
      CommandError: where that is impossible.
    """
    with run.status("rehearsing evaluation and export"):
        run.trainer.rehearse()
        if run.config.run.export:
            source = Source(run.trainer.agent, run.config, run.trainer.counters, None)
            exporting.rehearse(source, run.folder.export)


def finish(run: RunContext, trackers: Writer) -> None:
    """Plays the evaluation, draws the curves, exports the policy and sums up.

    Args:
      run: that was trained.
      trackers: take the score.

    Raises:
      InterruptedEvaluationError: where the evaluation was interrupted.
      CommandError: where the export is refused; all else is written then.
    """
    evaluation = _evaluate(run)
    run_dir.write_json(run.folder.evaluation, evaluation)
    observed = run.trainer.observed_steps()
    if observed is not None:
        observations.save(run.folder.observed, observed)
    trackers.write({"env_steps": evaluation["env_steps"], "eval/return": evaluation["mean"]})
    run.trainer.callbacks.deliver()
    with run.status("drawing curves"):
        save_curves([run.folder], run.folder.curves)
    # before the export, which may be refused
    run.reporter.say(f"{score_lines(evaluation)}\ncurves    {run.folder.curves}")
    agent, counters = run.trainer.agent, run.trainer.counters
    if run.config.run.export:
        _export(Source(agent, run.config, counters, evaluation, observed), run)
    run.reporter.say(
        f"time      {time.perf_counter() - run.started:.0f} s in all{_speed(run)}\n"
        f"{_where_to_go_on(run)}"
    )


def score_lines(evaluation: dict[str, Any]) -> str:
    """Returns the scores of an `evaluation.json` in words, and what it means if they differ."""
    by_mode = _by_mode(evaluation)
    lines = [
        f"{'return' if mode == 'greedy' else '':8}  {mode:7} {_score(summary)}"
        for mode, summary in by_mode.items()
    ]
    return "\n".join([*lines, *_comparison(by_mode["greedy"], by_mode["sampled"])])


def _evaluate(run: RunContext) -> dict[str, Any]:
    """Plays the configured evaluation, and the same with the other kind of actions beside it."""
    chosen = run.config.run.eval_deterministic
    with run.status("evaluating") as update:
        report = episodes_report(update)
        result = run.trainer.evaluate(run.interrupted, report)
        other = run.trainer.play(not chosen, run.interrupted, report)
    return {
        **result.summary(),
        "environment": run.config.env.name,
        "deterministic": chosen,
        "seed": run.config.run.seed,
        "env_steps": run.trainer.counters.env_steps,
        MODES[not chosen]: other.summary(),
    }


def _by_mode(evaluation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    chosen = evaluation["deterministic"]
    summaries = {chosen: evaluation, not chosen: evaluation[MODES[not chosen]]}
    return {MODES[mode]: summaries[mode] for mode in (True, False)}


def _score(summary: dict[str, Any]) -> str:
    error = summary["standard_error"]
    return (
        f"{summary['mean']:.2f}{'' if error is None else f' ± {error:.2f}'} over "
        f"{summary['episodes']} episodes, {summary['min']:.2f} to {summary['max']:.2f}"
    )


def _comparison(greedy: dict[str, Any], sampled: dict[str, Any]) -> list[str]:
    """Returns a line that says what it means where one score is clearly better, else nothing."""
    difference = greedy["mean"] - sampled["mean"]
    error = math.hypot(greedy["standard_error"] or 0, sampled["standard_error"] or 0)
    scale = max(abs(greedy["mean"]), abs(sampled["mean"]))
    if abs(difference) <= max(CLEAR_ERRORS * error, CLEAR_SHARE * scale):
        return []
    meaning = RANDOMNESS_COSTS if difference > 0 else RANDOMNESS_HELPS
    return [f"{'':10}{meaning}"]


def _export(source: Source, run: RunContext) -> None:
    try:
        with run.status("exporting"):
            exporting.export_agent(source, run.folder.export)
    except CommandError as error:
        raise type(error)(
            f"{error}; {run.folder.path} holds the run as a whole: "
            f"export it again with {command_line('export', run.folder.path)}"
        ) from None


def _where_to_go_on(run: RunContext) -> str:
    if not run.config.run.export:
        command = command_line("export", run.folder.path)
        return f"policy    not exported (run.export=false)\nexport    {command}"
    command = command_line("serving", run.folder.export)
    return f"policy    {run.folder.export / 'policy.onnx'}\nserve it  {command}"


def _speed(run: RunContext) -> str:
    """Returns training speed once compiled, where there was more than the call that compiles."""
    compiled, counters = run.trainer.compiled, run.trainer.counters
    if compiled is None or compiled == counters:
        return ""
    steps, seconds = counters.env_steps - compiled.env_steps, counters.time_s - compiled.time_s
    return f", training at {steps / seconds:,.0f} steps/s"
