"""The routes of the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving import protocol
from serving.act import act
from serving.body import body_limit, read_body
from serving.errors import InvalidInputError
from serving.policy import Policy
from serving.responses import EXCEPTION_HANDLERS, json_bytes, json_response

MODEL_PATH = "/v2/models/{model}"
VERSION_PATH = MODEL_PATH + "/versions/{version}"

Answer = Callable[[Policy, bytes], bytes]


class Endpoints:
    """The handlers of one policy.

    Decoding, running and encoding all happen in worker threads, so that health checks are answered
    while a large batch is computed; a worker keeps one core busy.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._body_limit = body_limit(policy.inputs.values())
        self._workers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="policy")

    async def server_metadata(self, request: Request) -> Response:
        """Answers `GET /v2`."""
        return json_response(protocol.server_metadata())

    async def live(self, request: Request) -> Response:
        """Answers `GET /v2/health/live`."""
        return json_response({"live": True})

    async def ready(self, request: Request) -> Response:
        """Answers `GET /v2/health/ready`: yes, since the port is bound after verification."""
        return json_response({"live": True, "ready": True})

    async def model_metadata(self, request: Request) -> Response:
        """Answers `GET /v2/models/M`."""
        self._check_model(request)
        return json_response(protocol.model_metadata(self._policy))

    async def model_ready(self, request: Request) -> Response:
        """Answers `GET /v2/models/M/ready`."""
        self._check_model(request)
        return json_response({"name": self._policy.name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Answers `POST /v2/models/M/infer`."""
        self._check_model(request)
        if "inference-header-content-length" in request.headers:
            raise InvalidInputError(protocol.BINARY_HELP)
        return await self._answer(request, protocol.infer)

    async def act(self, request: Request) -> Response:
        """Answers `POST /act`."""
        return await self._answer(request, act)

    async def _answer(self, request: Request, answer: Answer) -> Response:
        body = await read_body(request, self._body_limit)
        loop = asyncio.get_running_loop()
        return json_bytes(await loop.run_in_executor(self._workers, answer, self._policy, body))

    def _check_model(self, request: Request) -> None:
        name, version = self._policy.name, self._policy.version
        received = request.path_params
        if received["model"] != name or received.get("version", version) != version:
            raise HTTPException(404, f"no such model; expected {name!r}, version {version!r}")


def make_app(policy: Policy) -> Starlette:
    """Returns the ASGI application that serves `policy`."""
    app = Starlette(routes=_routes(Endpoints(policy)), exception_handlers=EXCEPTION_HANDLERS)
    app.router.redirect_slashes = False  # a redirect is neither an answer nor an error object
    app.router.default = _unknown_path
    return app


async def _unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    raise HTTPException(404, "no such path; expected /act, /v2 or /v2/models/NAME")


def _routes(endpoints: Endpoints) -> list[Route]:
    routes = [
        Route("/act", endpoints.act, methods=["POST"]),
        Route("/v2", endpoints.server_metadata),
        Route("/v2/", endpoints.server_metadata),
        Route("/v2/health/live", endpoints.live),
        Route("/v2/health/ready", endpoints.ready),
    ]
    for path in (MODEL_PATH, VERSION_PATH):
        routes += [
            Route(path, endpoints.model_metadata),
            Route(f"{path}/ready", endpoints.model_ready),
            Route(f"{path}/infer", endpoints.infer, methods=["POST"]),
        ]
    return routes
