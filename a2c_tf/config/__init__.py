"""A run's settings: their schema, and how they are read."""

from a2c_tf.config.hints import nearest
from a2c_tf.config.listing import table
from a2c_tf.config.loading import check_resumable, find, flat, load, names, parse, to_yaml
from a2c_tf.config.printing import to_commented_yaml
from a2c_tf.config.schema import (
    A2CConfig,
    AtariConfig,
    Config,
    EnvConfig,
    NetworkConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
)

__all__ = [
    "A2CConfig",
    "AtariConfig",
    "Config",
    "EnvConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "RunConfig",
    "ScheduleConfig",
    "check_resumable",
    "find",
    "flat",
    "load",
    "names",
    "nearest",
    "parse",
    "table",
    "to_commented_yaml",
    "to_yaml",
]
