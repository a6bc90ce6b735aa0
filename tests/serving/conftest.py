"""Small real ONNX policies, exports of them, and clients of the real application."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from starlette.types import ASGIApp
from support import ROOT

from serving.app import make_app
from serving.loading import load_policy
from serving.policy import Policy

START_SECONDS = 60  # a bound against hanging, not a measurement


class LinearPolicy(NamedTuple):
    """logits = x W, value = x v, action = argmax: what a small ONNX graph must reproduce."""

    row_shape: tuple[int, ...]
    dtype: str
    policy_weights: np.ndarray  # [features, A]
    value_weights: np.ndarray  # [features]

    def logits(self, observation: np.ndarray) -> np.ndarray:
        return self._features(observation) @ self.policy_weights

    def value(self, observation: np.ndarray) -> np.ndarray:
        return self._features(observation) @ self.value_weights

    def _features(self, observation: np.ndarray) -> np.ndarray:
        return observation.reshape(len(observation), -1).astype(np.float32)


def linear_policy(row_shape: tuple[int, ...], dtype: str, actions: int) -> LinearPolicy:
    rng = np.random.default_rng(0)
    features = int(np.prod(row_shape))
    return LinearPolicy(
        row_shape,
        dtype,
        rng.normal(size=(features, actions)).astype(np.float32),
        rng.normal(size=features).astype(np.float32),
    )


def onnx_model(
    policy: LinearPolicy,
    input_name: str = "observation",
    logits_name: str = "logits",
    batch: str | int = "batch",
    action_dtype: int = TensorProto.INT32,
) -> onnx.ModelProto:
    """The policy as a graph; the keywords are ways in which a graph can break the contract."""
    input_type = helper.np_dtype_to_tensor_dtype(np.dtype(policy.dtype))
    nodes = [
        helper.make_node("Cast", [input_name], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["cast"], ["features"], axis=1),
        helper.make_node("MatMul", ["features", "policy_weights"], [logits_name]),
        helper.make_node("MatMul", ["features", "value_weights"], ["value"]),
        helper.make_node("ArgMax", [logits_name], ["best"], axis=1, keepdims=0),
        helper.make_node("Cast", ["best"], ["action"], to=action_dtype),
    ]
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info(input_name, input_type, [batch, *policy.row_shape])],
        [
            helper.make_tensor_value_info("action", action_dtype, [batch]),
            helper.make_tensor_value_info(logits_name, TensorProto.FLOAT, [batch, None]),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, [batch]),
        ],
        [
            numpy_helper.from_array(policy.policy_weights, "policy_weights"),
            numpy_helper.from_array(policy.value_weights, "value_weights"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def manifest_of(policy: LinearPolicy, model: bytes, name: str) -> dict[str, Any]:
    """What export writes, with one golden sample of ones."""
    observation = np.ones((1, *policy.row_shape), policy.dtype)
    logits, value = policy.logits(observation), policy.value(observation)
    actions = logits.shape[1]
    return {
        "format": 2,
        "name": name,
        "environment": {"id": "Test-v0", "max_episode_steps": None},
        "inputs": [
            {"name": "observation", "dtype": policy.dtype, "shape": [-1, *policy.row_shape]}
        ],
        "outputs": [
            {"name": "action", "dtype": "int32", "shape": [-1]},
            {"name": "logits", "dtype": "float32", "shape": [-1, actions]},
            {"name": "value", "dtype": "float32", "shape": [-1]},
        ],
        "action_distribution": {"type": "categorical", "start": 0},
        "onnx_sha256": hashlib.sha256(model).hexdigest(),
        "golden": [
            {
                "inputs": {"observation": observation[0].tolist()},
                "outputs": {
                    "action": int(logits[0].argmax()),
                    "logits": logits[0].tolist(),
                    "value": float(value[0]),
                },
            }
        ],
    }


def write_export(
    folder: Path, policy: LinearPolicy, name: str = "linear", model: bytes | None = None
) -> Path:
    """An export folder; `model` takes the place of the policy's own graph."""
    folder.mkdir(parents=True, exist_ok=True)
    content = onnx_model(policy).SerializeToString() if model is None else model
    (folder / "policy.onnx").write_bytes(content)
    manifest = manifest_of(policy, content, name)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


class AsgiClient:
    """Asks the application itself, without a socket."""

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


@pytest.fixture(scope="session")
def cartpole() -> LinearPolicy:
    """float32 `[4]`, 2 actions."""
    return linear_policy((4,), "float32", actions=2)


@pytest.fixture(scope="session")
def minatar() -> LinearPolicy:
    """bool `[3, 3, 2]`, 5 actions."""
    return linear_policy((3, 3, 2), "bool", actions=5)


@pytest.fixture(scope="session")
def pixels() -> LinearPolicy:
    """uint8 `[84, 84, 4]`, 6 actions."""
    return linear_policy((84, 84, 4), "uint8", actions=6)


@pytest.fixture(scope="session")
def make_export() -> Callable[..., Path]:
    return write_export


@pytest.fixture(scope="session")
def make_client() -> Callable[[ASGIApp], AsgiClient]:
    return AsgiClient


@pytest.fixture(scope="session")
def make_model() -> Callable[..., onnx.ModelProto]:
    return onnx_model


@pytest.fixture(scope="session")
def cartpole_export(tmp_path_factory: pytest.TempPathFactory, cartpole: LinearPolicy) -> Path:
    return write_export(tmp_path_factory.mktemp("cartpole"), cartpole, "cartpole")


@pytest.fixture(scope="session")
def minatar_export(tmp_path_factory: pytest.TempPathFactory, minatar: LinearPolicy) -> Path:
    return write_export(tmp_path_factory.mktemp("minatar"), minatar, "minatar")


@pytest.fixture(scope="session")
def cartpole_policy(cartpole_export: Path) -> Policy:
    return load_policy(cartpole_export, None)


@pytest.fixture(scope="session")
def minatar_policy(minatar_export: Path) -> Policy:
    return load_policy(minatar_export, None)


@pytest.fixture(scope="session")
def client(cartpole_policy: Policy) -> AsgiClient:
    return AsgiClient(make_app(cartpole_policy))


@pytest.fixture(scope="session")
def bool_client(minatar_policy: Policy) -> AsgiClient:
    return AsgiClient(make_app(minatar_policy))


@pytest.fixture(scope="session")
def pixel_client(tmp_path_factory: pytest.TempPathFactory, pixels: LinearPolicy) -> AsgiClient:
    folder = write_export(tmp_path_factory.mktemp("pixels"), pixels, "pixels")
    return AsgiClient(make_app(load_policy(folder, None)))


class Server(NamedTuple):
    """A running `python -m serving` and the line that it printed."""

    process: subprocess.Popen[str]
    line: str

    @property
    def url(self) -> str:
        return self.line.split(" on ")[1].split(",")[0]


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers that end with the test at the latest."""
    processes: list[subprocess.Popen[str]] = []

    def start_server(*arguments: str | Path) -> Server:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "serving", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        return Server(process, process.stdout.readline().strip())

    yield start_server
    for process in processes:
        process.kill()
        process.communicate(timeout=START_SECONDS)
