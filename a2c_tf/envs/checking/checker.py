"""All checks of one environment."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.checking import in_graph, on_host
from a2c_tf.envs.checking.findings import Finding, line_of, raised
from a2c_tf.envs.checking.graph_native import Compilers
from a2c_tf.envs.checking.playing import Report
from a2c_tf.errors import CommandError, ConfigError, NonFiniteError

NOT_THERE = (gymnasium.error.Error, ImportError, type(None))
"""causes of errors that are of the command line, not of an environment."""


def check(config: EnvConfig, compilers: Compilers, report: Report) -> Iterator[Finding]:
    """Yields the findings of each check of the environment that `config` names.

    Args:
      config: names it; on the host one environment is made at a time, whatever its `num_envs`.
      compilers: of graph-native environments.
      report: receives progress.

    Yields:
      The findings.

    Raises:
      ConfigError: where the environment is not there, or lacks a setting.
    """
    try:
        if registry.backend_of(config) == "graph":
            yield from in_graph.check(config, compilers, report)
        else:
            yield from on_host.check(config, compilers.graph, report)
    except CommandError as error:
        if isinstance(error, ConfigError) and isinstance(error.__cause__, NOT_THERE):
            raise
        yield _failed(config, error)
    except Exception as error:  # of the user's code, or a fault of ours
        if not line_of(error):
            raise
        yield raised("stepping", "the environment", error)


def _failed(config: EnvConfig, error: CommandError) -> Finding:
    """Returns the finding of an environment that could not be made or stepped."""
    check = "stepping"
    if isinstance(error, ConfigError):
        check = "making"
    elif isinstance(error, NonFiniteError):
        check = "finite"
    text = str(error).removeprefix(f"env.id={config.id}: ").partition("; fix this, then resume")[0]
    text = text.removeprefix(f"environment {config.id}: ")
    where = line_of(error.__cause__) if error.__cause__ else ""
    return Finding("error", check, where, text)
