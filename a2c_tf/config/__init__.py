"""A run's settings: their schema, and how they are read."""

from a2c_tf.config.hints import nearest
from a2c_tf.config.kinds import Kind, complete, complete_from, is_complete
from a2c_tf.config.listing import table
from a2c_tf.config.loading import (
    DEFAULT_CONFIG,
    check_resumable,
    default_name,
    find,
    flat,
    load,
    names,
    parse,
    to_yaml,
)
from a2c_tf.config.printing import to_commented_yaml
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
    "DEFAULT_CONFIG",
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
    "complete_from",
    "default_name",
    "find",
    "flat",
    "is_complete",
    "load",
    "names",
    "nearest",
    "override_words",
    "parse",
    "resolve",
    "table",
    "to_commented_yaml",
    "to_yaml",
]
