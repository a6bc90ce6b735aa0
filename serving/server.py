"""Sockets, uvicorn and signals."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.errors import ListenError
from serving.responses import error_response

BACKLOG = 2048
SHUTDOWN_SECONDS = 15
"""for answers under way at SIGTERM; more than a client may take to send a body."""


class JsonErrorProtocol(HttpToolsProtocol):
    """Refuses requests that are not HTTP with the error object of all other errors."""

    def send_400_response(self, msg: str) -> None:
        """Answers with the error object and closes the connection."""
        response = error_response(400, msg, {"Connection": "close"})
        headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\n" + headers + b"\r\n" + bytes(response.body)
        )
        self.transport.close()


@contextlib.contextmanager
def listen(host: str, port: int, uds: Path | None) -> Iterator[socket.socket]:
    """Yields a listening socket.

    Args:
      host: name or address; ignored where `uds` is given.
      port: 0 takes a free one; ignored where `uds` is given.
      uds: path of a Unix socket, removed at the end; None: host and port.

    Yields:
      The socket, closed at the end.

    Raises:
      ListenError: where the address is taken, unknown or forbidden.
    """
    try:
        listener = _listen_tcp(host, port) if uds is None else _listen_unix(uds)
    except OSError as error:
        address = uds or f"{host}:{port}"
        raise ListenError(
            f"cannot listen on {address}: {error.strerror or error}; choose another address"
        ) from None
    with listener:
        try:
            yield listener
        finally:
            if uds is not None:
                uds.unlink(missing_ok=True)


def run(app: Starlette, listener: socket.socket) -> None:
    """Serves `app` until a signal comes; answers under way are completed first.

    SIGTERM ends the process with exit code 0, SIGINT raises KeyboardInterrupt.
    """
    # uvicorn raises the signal again once it has shut down; a shell starts what it puts into the
    # background with SIGINT ignored
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config = uvicorn.Config(
        app,
        http=JsonErrorProtocol,
        ws="none",
        lifespan="off",
        log_config=None,  # errors go to stderr by themselves
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen_tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _listen_unix(path: Path) -> socket.socket:
    if path.is_socket() and not _is_answered(path):
        path.unlink()  # left behind by a process that was killed
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _exit(*_: object) -> NoReturn:
    sys.exit(0)
