"""One thread for the whole life of an environment."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class EnvironmentThread:
    """Runs everything that an environment does on one thread, from its making to its closing.

    TensorFlow calls Python from any of its threads, while a simulator may hold what belongs to the
    thread that made it: a database connection, a drawing context, an event loop.
    """

    def __init__(self) -> None:
        # simulators look for a loop, which only the main thread has by itself
        loop = asyncio.new_event_loop()
        self._close_loop = weakref.finalize(self, loop.close)
        self._executor = ThreadPoolExecutor(1, "environment", asyncio.set_event_loop, (loop,))

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Returns or raises what `function(*arguments)` does on the thread."""
        return self._executor.submit(function, *arguments).result()

    def stop(self) -> None:
        """Ends the thread once its last call is done; further calls do nothing."""
        self._executor.shutdown()
        self._close_loop()
