"""Advantage actor-critic (A2C) in TensorFlow and Keras.

Where everything is, each layer above those that may import it:

    errors, types, spaces, prng      leaves: what crosses a boundary, and helpers without state
    running_statistics
    config/                          every setting, and how a config file is read
    distributions/                   action distributions
    returns, losses, optimizers      the mathematics: pure functions of tensors
    networks/                        Keras functional models, and how they are applied
    envs/                            environments: in the graph, on the host, and their registry
    runs/                            the folder of a run: checkpoints, metrics, curves
    unroll, learner                  acting, and the only place where weights change
    acceleration/                    fast paths, each behind the signature of a plain function
    agent, diagnostics               a network with the meaning of its outputs; a look at updates
    train_step                       unroll and update, several times in one compiled call
    evaluation/                      episodes played to score an agent, and videos of them
    training/                        the assembly of all parts, the training loop, one experiment
    policies/                        a trained policy as an object: act, reset, evaluate
    callbacks, library               what a Python program calls, and is called by
    train, evaluate, plot            the commands, `python -m a2c_tf.train` and so on, with cli

From Python (docs/python.md):

    run = a2c_tf.train("cartpole", {"run.total_steps": 200_000})
    policy = a2c_tf.load(run.path)
    action = policy.act(observation)

None of these is imported, nor is TensorFlow, before it is used.

One A2C iteration is `unroll.py`, `learner.py`, `losses.py`, `returns.py` and
`networks/forward.py`. Beside this package stand `export` (a checkpoint as policy files) and
`serving` (the inference server, which imports neither).
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # for a type checker it is true; `typing` takes longer than all of this
if TYPE_CHECKING:
    from a2c_tf import envs as envs
    from a2c_tf.callbacks import Callback as Callback
    from a2c_tf.config import Config as Config
    from a2c_tf.errors import CommandError as CommandError
    from a2c_tf.errors import ConfigError as ConfigError
    from a2c_tf.library import Run as Run
    from a2c_tf.library import train as train
    from a2c_tf.policies import Policy as Policy
    from a2c_tf.policies import load as load

__version__ = "0.1.0"

MODULES = {
    "Callback": "a2c_tf.callbacks",
    "CommandError": "a2c_tf.errors",
    "Config": "a2c_tf.config",
    "ConfigError": "a2c_tf.errors",
    "Policy": "a2c_tf.policies",
    "Run": "a2c_tf.library",
    "load": "a2c_tf.policies",
    "train": "a2c_tf.library",
}
"""where each public name is, imported when it is first used."""

__all__ = ["__version__", "envs", *MODULES]


def __getattr__(name: str) -> object:
    if name == "envs":
        return importlib.import_module("a2c_tf.envs")
    if name not in MODULES:
        raise AttributeError(f"module 'a2c_tf' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
