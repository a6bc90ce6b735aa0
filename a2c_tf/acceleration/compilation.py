"""What is compiled how.

XLA fuses the many small operations of games, returns and optimizer; convolutions run faster in
graph mode, where oneDNN has them. `mixed` gives each its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from a2c_tf.networks.encoding import Planes
from a2c_tf.types import Compiler


def xla(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function compiled to one XLA program."""
    return tf.function(function, jit_compile=True, autograph=False)


def graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as a graph, whose operations TensorFlow runs one by one."""
    return tf.function(function, autograph=False)


def uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as it is, to be traced into whatever calls it."""
    return function


class Compilation(NamedTuple):
    """How each part of acting and learning is compiled."""

    name: str
    """for people, and the log of a run."""
    loop: Compiler
    """of updates in training, of steps in an evaluation; everything else is traced into it."""
    choose_action: Compiler = uncompiled
    """where the actor step around it cannot be compiled."""
    actor_step: Compiler = uncompiled
    update: Compiler = uncompiled
    """what surrounds the network: images that go in, and loss and optimizer."""

    @property
    def is_whole(self) -> bool:
        """Whether a training step is one XLA program."""
        return self.loop is xla


WHOLE = Compilation("one XLA program", loop=xla)
MIXED = Compilation("XLA around the network", loop=graph, actor_step=xla, update=xla)
MIXED_ON_HOST = MIXED._replace(choose_action=xla, actor_step=uncompiled)
EVALUATION = Compilation("evaluation", loop=graph, actor_step=xla)
EVALUATION_ON_HOST = EVALUATION._replace(actor_step=uncompiled)


def choose_compilation(setting: str, in_graph: bool, convolutional: bool) -> Compilation:
    """Chooses XLA for whatever it makes faster, or as the config says.

    Args:
      setting: `run.compile`: auto, xla or mixed.
      in_graph: whether TensorFlow computes the environment.
      convolutional: whether the network has convolutions.

    Returns:
      The compilation of a training step.

    Raises:
      ValueError: where the whole step is to be XLA's and the environment is not in the graph.
    """
    if setting == "xla" and not in_graph:
        raise ValueError("run.compile=xla: the environment is not in the graph; set it to auto")
    if in_graph and (setting == "xla" or (setting == "auto" and not convolutional)):
        return WHOLE
    return MIXED if in_graph else MIXED_ON_HOST


@contextlib.contextmanager
def compiled_image_conversion(compiler: Compiler, layers: Sequence[Planes]) -> Iterator[None]:
    """Traces what is inside with these layers' conversion of images compiled."""
    for layer in layers:
        layer.convert = compiler(layer.in_operations)
    try:
        yield
    finally:
        for layer in layers:
            layer.convert = layer.in_operations
