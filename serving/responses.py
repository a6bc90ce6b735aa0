"""JSON answers, and one form for every error: `{"error": "..."}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from serving.errors import InvalidInputError

LONGEST_TEXT = 400
"""characters of an error's text, which may repeat what the client sent."""


def json_response(content: Any) -> Response:
    """Returns a response with `content` as JSON."""
    return json_bytes(msgspec.json.encode(content))


def json_bytes(body: bytes) -> Response:
    """Returns a response with `body`, which is JSON."""
    return Response(body, media_type="application/json")


def error_response(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a response with an error object.

    Args:
      status: the HTTP status.
      text: one line for the client.
      headers: further headers.

    Returns:
      The response, `{"error": text}`.
    """
    body = msgspec.json.encode({"error": text})
    return Response(body, status, headers, media_type="application/json")


async def http_error(request: Request, error: Exception) -> Response:
    """Answers 404, 405, 408, 413 and 415, with the path that was requested."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]  # request.url would parse the Host header, which may be nonsense
    text = f"{request.method} {_shortened(path)}: {_shortened(error.detail)}"
    if error.status_code == 405 and error.headers:
        text += f"; expected {error.headers['Allow']}"
    return error_response(error.status_code, text, error.headers)


async def invalid_input(request: Request, error: Exception) -> Response:
    """Answers 400 with the error's own text."""
    return error_response(400, _shortened(str(error)))


async def client_disconnected(request: Request, error: Exception) -> Response:
    """Answers 400, though the client has gone away."""
    return error_response(400, "the client went away before its body was complete")


async def internal_error(request: Request, error: Exception) -> Response:
    """Answers 500; the cause is in the server's log, not in the answer."""
    return error_response(500, "internal error; the server's log says more")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


EXCEPTION_HANDLERS = {
    HTTPException: http_error,
    InvalidInputError: invalid_input,
    ClientDisconnect: client_disconnected,
    Exception: internal_error,
}
