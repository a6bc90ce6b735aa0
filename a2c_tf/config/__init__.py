"""A run's settings: their schema, and how they are read."""

from a2c_tf.config.kinds import Kind, complete, is_complete
from a2c_tf.config.loading import check_resumable, find, load, names, nearest, parse, to_yaml
from a2c_tf.config.python_values import Source, override_words, resolve
from a2c_tf.config.schema import (
    A2CConfig,
    AtariConfig,
    Config,
    EnvConfig,
    NetworkConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    WrapperConfig,
)

__all__ = [
    "A2CConfig",
    "AtariConfig",
    "Config",
    "EnvConfig",
    "Kind",
    "NetworkConfig",
    "OptimizerConfig",
    "RunConfig",
    "ScheduleConfig",
    "Source",
    "WrapperConfig",
    "check_resumable",
    "complete",
    "find",
    "is_complete",
    "load",
    "names",
    "nearest",
    "override_words",
    "parse",
    "resolve",
    "to_yaml",
]
