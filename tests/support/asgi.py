"""The application asked without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from starlette.types import ASGIApp

from support.small_policies import Arrays


class AsgiClient:
    """Asks an application in this thread."""

    def __init__(self, app: ASGIApp, **transport: Any) -> None:
        self._app, self._transport = app, transport

    def request(self, method: str, path: str, **keywords: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, **self._transport)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **keywords)

        return asyncio.run(ask())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, content: Any, **keywords: Any) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.request("POST", path, content=body, **keywords)


def request_of(inputs: Arrays) -> dict[str, Any]:
    """Returns the body of `POST /act` for inputs by their names in the graph."""
    fields: dict[str, Any] = {}
    for name, values in inputs.items():
        if name.startswith("observation_"):
            fields.setdefault("observation", {})[name.removeprefix("observation_")] = values
        else:
            fields["state" if name == "state_in" else name] = values
    plain: dict[str, Any] = json.loads(json.dumps(fields, default=lambda values: values.tolist()))
    return plain
