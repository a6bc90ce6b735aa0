"""Small real policies, exports of them, and clients of the real application."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from support.asgi import AsgiClient, request_of
from support.onnx_models import write_export
from support.small_policies import KINDS, Arrays, SmallPolicy, small_policy

from serving.announcement import announcement
from serving.app import make_app
from serving.loading import load_policy
from serving.policy import Policy


@pytest.fixture(scope="session")
def cartpole() -> SmallPolicy:
    """float32 `[4]`, 2 actions."""
    return small_policy("cartpole")


@pytest.fixture(scope="session")
def minatar() -> SmallPolicy:
    """bool `[3, 3, 2]`, 5 actions."""
    return small_policy("minatar")


@pytest.fixture(scope="session")
def pixels() -> SmallPolicy:
    """uint8 `[84, 84, 4]`, 6 actions."""
    return small_policy("pixels")


class Served(NamedTuple):
    """A policy of some kind, as NumPy and as the server's own."""

    small: SmallPolicy
    policy: Policy
    client: AsgiClient

    def act(self, inputs: Arrays, **options: Any) -> dict[str, Any]:
        """The answer to a batch of inputs by their names in the graph."""
        response = self.client.post("/act", request_of(inputs) | options)
        assert response.status_code == 200, response.text
        return dict(response.json())


@pytest.fixture(scope="session")
def export_named(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the export of a kind, written once; not to be written to."""
    written: dict[str, Path] = {}

    def export_named(name: str) -> Path:
        if name not in written:
            written[name] = write_export(tmp_path_factory.mktemp(name), small_policy(name))
        return written[name]

    return export_named


@pytest.fixture(scope="session")
def served_named(export_named: Callable[[str], Path]) -> Callable[[str], Served]:
    """Returns the policy of a kind, loaded once."""
    loaded: dict[str, Served] = {}

    def served_named(name: str) -> Served:
        if name not in loaded:
            policy = load_policy(export_named(name), None)
            loaded[name] = Served(small_policy(name), policy, AsgiClient(make_app(policy)))
        return loaded[name]

    return served_named


@pytest.fixture(scope="session")
def client(served_named: Callable[[str], Served]) -> AsgiClient:
    return served_named("cartpole").client


@pytest.fixture(scope="session")
def bool_client(served_named: Callable[[str], Served]) -> AsgiClient:
    return served_named("minatar").client


@pytest.fixture(scope="session")
def pixel_client(served_named: Callable[[str], Served]) -> AsgiClient:
    return served_named("pixels").client


@pytest.fixture(scope="session")
def cartpole_policy(served_named: Callable[[str], Served]) -> Policy:
    return served_named("cartpole").policy


@pytest.fixture(params=[name for name in KINDS if name != "pixels"])
def served(request: pytest.FixtureRequest, served_named: Callable[[str], Served]) -> Served:
    """Each kind in turn but for the images, whose largest batch is too large for a test."""
    return served_named(request.param)


@pytest.fixture
def listen() -> Iterator[Callable[[Policy], str]]:
    """Serves policies on sockets from this process; returns the line that a server prints."""
    with contextlib.ExitStack() as stack:

        def start(policy: Policy) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            config = uvicorn.Config(make_app(policy), lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.001)
            return announcement(policy, listener)

        yield start
