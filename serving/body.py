"""A request's body, bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from serving.tensors import MAX_ROWS, TensorSpec, json_size

MOST_BYTES = 64 * 2**20
ENVELOPE_BYTES = 64 * 2**10
"""for everything in a request but its values."""
SECONDS = 10.0
"""that a client may take to send a body."""


def body_limit(inputs: Iterable[TensorSpec]) -> int:
    """Returns the bytes of the largest body: two largest batches, as indentation may double it."""
    return min(MOST_BYTES, 2 * sum(map(json_size, inputs)) + ENVELOPE_BYTES)


async def read_body(request: Request, limit: int) -> bytes:
    """Reads the whole body of at most `limit` bytes; one that is announced as larger is not read.

    Raises:
      HTTPException: 413 for a larger body, 408 for one that does not arrive, 415 for a
        compressed one.
      ClientDisconnect: where the client goes away.
    """
    _check_headers(request, limit)
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(f"over {limit}", limit)
    except TimeoutError:
        raise HTTPException(408, f"body not complete after {SECONDS:g} s; send it again") from None
    return bytes(body)


def _check_headers(request: Request, limit: int) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise HTTPException(415, f"Content-Encoding {encoding!r}; expected plain JSON")
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise HTTPException(400, f"Content-Length {length!r}; expected a number of bytes")
    if int(length) > limit:
        raise _too_large(length, limit)


def _too_large(received: str, limit: int) -> HTTPException:
    return HTTPException(
        413,
        f"body of {received} bytes; expected at most {limit}: "
        f"send fewer observations at once, {MAX_ROWS} at most",
    )
