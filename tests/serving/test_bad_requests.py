"""Every bad request is refused with `{"error": ...}`, and the server goes on."""

import asyncio
import json

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import body as request_body
from serving.act import act
from serving.app import make_app
from serving.errors import InvalidInputError
from serving.protocol import infer

INFER = "/v2/models/cartpole/infer"
LIMIT = 2 * 1024 * 4 * len("-2.2250738585072014e-308, ") + 64 * 1024
GOOD = {"observation": [0.1, -0.2, 0.3, 0.4]}
OVERFLOWING = [3.4e38, -3.4e38, 3.4e38, -3.4e38]
"""Finite, and with the signs of the value's weights, so that the value is infinite."""


def tensor(**changes):
    good = {
        "name": "observation",
        "shape": [1, 4],
        "datatype": "FP32",
        "data": [0.1, -0.2, 0.3, 0.4],
    }
    return {key: value for key, value in (good | changes).items() if value is not ...}


def one(**changes):
    """A request for inference whose only tensor is good but for `changes`; ... removes a key."""
    return {"inputs": [tensor(**changes)]}


def assert_refused(response, status, *fragments):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    for fragment in fragments:
        assert fragment in response.json()["error"]
    assert "Traceback" not in response.text


def assert_still_serves(client):
    assert client.post("/act", GOOD).json()["action"] in (0, 1)


@pytest.mark.parametrize(
    ("body", "fragments"),
    [
        (b"", ["in JSON numbers are finite"]),
        (b"{", ["in JSON numbers are finite"]),
        (b"nonsense", ["in JSON numbers are finite"]),
        (b"[]", ["Expected `object`, got `array`"]),
        (b"null", ["Expected `object`, got `null`"]),
        (b"\xef\xbb\xbf{}", ["in JSON numbers are finite"]),
        (b'{"inputs": []} {}', ["trailing characters"]),
        (b"\xff\xfe", ["not UTF-8 at byte 0"]),
        (b'{"inputs": [], "id": "\xff"}', ["not UTF-8 at byte 22"]),
        (b'{"inputs": [], "other": "\xff"}', ["not UTF-8 at byte 25"]),
        (b'{"inputs": [], "id": "\\ud800"}', ["in JSON numbers are finite"]),
        (b"[" * 100_000, ["Expected `object`, got `array`"]),
        (b'{"inputs": [{"data": ' + b"[" * 100_000, ["nested too deeply"]),
        (b'{"other": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", ["nested too deeply"]),
        (b'{"other": ' + b'{"a": ' * 30_000 + b"1" + b"}" * 30_001, ["nested too deeply"]),
        ({}, ["missing required field `inputs`"]),
        ({"inputs": {}}, ["Expected `array`, got `object`", "$.inputs"]),
        ({"inputs": []}, ["received no tensor", "expected each once: 'observation'"]),
        ({"inputs": [1]}, ["Expected `object`, got `int`", "$.inputs[0]"]),
        ({"inputs": [tensor(), tensor()]}, ["received 'observation', 'observation'", "once"]),
        ({"inputs": [tensor(), tensor(name="state")]}, ["'observation', 'state'"]),
        ({**one(), "id": 7}, ["Expected `str | null`, got `int`", "$.id"]),
        ({**one(), "parameters": []}, ["$.parameters"]),
        ({**one(), "parameters": {"a": [1]}}, ["got `array`", "$.parameters"]),
        ({**one(), "outputs": "action"}, ["$.outputs"]),
        ({**one(), "outputs": [{"name": "q"}]}, ["received 'q'", "action, logits, value"]),
        ({**one(), "outputs": [{"name": "value"}] * 2}, ["received 'value'", "at most once"]),
        (one(name="obs"), ["received 'obs'", "expected each once: 'observation'"]),
        (one(name=...), ["missing required field `name`"]),
        (one(shape=...), ["missing required field `shape`"]),
        (one(datatype=...), ["missing required field `datatype`"]),
        (one(data=...), ["received no data"]),
        (one(datatype="FP64"), ["received datatype 'FP64'", "expected FP32"]),
        (one(datatype="fp32"), ["received datatype 'fp32'"]),
        (one(datatype="BYTES"), ["received datatype 'BYTES'"]),
        (one(datatype=1), ["$.inputs[0].datatype"]),
        (one(shape=[4]), ["received shape [4]", "[batch, 4]"]),
        (one(shape=[]), ["received shape []"]),
        (one(shape=[1, 5]), ["received shape [1, 5]", "[batch, 4]"]),
        (one(shape=[1, 4, 1]), ["received shape [1, 4, 1]"]),
        (one(shape=[1] * 50_000), ["received shape [1, 1, 1, 1, 1, 1, 1, 1, ...]"]),
        (one(shape=[0, 4], data=[]), ["received shape [0, 4]", "batch from 1 to 1024"]),
        (one(shape=[1025, 4]), ["received shape [1025, 4]", "batch from 1 to 1024"]),
        (one(shape=[-1, 4]), ["received shape [-1, 4]"]),
        (one(shape=[-1, -4]), ["received shape [-1, -4]"]),
        (one(shape=[True, 4]), ["got `bool`", "$.inputs[0].shape[0]"]),
        (one(shape=[1.0, 4]), ["got `float`", "$.inputs[0].shape[0]"]),
        (one(shape=["1", 4]), ["got `str`", "$.inputs[0].shape[0]"]),
        (one(shape=[None, 4]), ["got `null`", "$.inputs[0].shape[0]"]),
        (one(shape=4), ["$.inputs[0].shape"]),
        (one(shape=[2**62, 4]), ["received shape [4611686018427387904, 4]"]),
        (one(shape=[2**4, 2**60 + 2]), ["received shape"]),
        (one(shape=[10**4000, 4]), ["received shape [1000"]),
        (one(data=[1, 2, 3]), ["received data of shape [3]", "expected [4]"]),
        (one(data=[1, 2, 3, 4, 5]), ["received data of shape [5]", "expected [4]"]),
        (one(data=[]), ["received data of shape [0]"]),
        (one(data=[[]]), ["received data of shape [1, 0]", "expected [1, 4]"]),
        (one(data=[[1, 2, 3, 4]] * 2), ["received data of shape [2, 4]", "expected [1, 4]"]),
        (one(shape=[2, 4], data=[[1, 2, 3, 4], [1]]), ["unequal length"]),
        (one(data=[[1, 2], [3, 4]]), ["received data of shape [2, 2]", "expected [1, 4]"]),
        (one(data=[[[1, 2, 3, 4]]]), ["received data 3 lists deep", "expected 1 (flat) or 2"]),
        (one(data=1), ["received data 0 lists deep"]),
        (one(data="abcd"), ["received data 0 lists deep"]),
        (one(data={"a": 1}), ["received data 0 lists deep"]),
        (one(data=None), ["received data 0 lists deep"]),
        (one(data=[1, 2, 3, "4"]), ["Expected `float`, got `str`", "$[3]"]),
        (one(data=[1, 2, 3, True]), ["Expected `float`, got `bool`", "$[3]"]),
        (one(data=[1, 2, 3, None]), ["Expected `float`, got `null`", "$[3]"]),
        (one(data=[1, 2, 3, [4]]), ["Expected `float`, got `array`", "$[3]"]),
        (one(data=[1, 2, 3, float("nan")]), ["finite: no NaN, no Infinity"]),
        (one(data=[1, 2, 3, float("-inf")]), ["finite: no NaN, no Infinity"]),
        (one(data=[1, 2, 3, 1e300]), ["beyond float32"]),
        (one(data=OVERFLOWING), ["non-finite numbers"]),
        (b'{"inputs": [{"name": "observation", "shape": [1, 4], "datatype": "FP32", "data": '
         b"[1, 2, 3, 1e999]}]}", ["Number out of range"]),
        (one(data=..., parameters={"binary_data_size": 16}), ["binary tensor data is not supp"]),
        (one(parameters={"binary_data_size": 0}), ["binary tensor data is not supported"]),
        ({**one(), "parameters": {"binary_data_output": True}}, ["binary_data=False"]),
        (
            {**one(), "outputs": [{"name": "value", "parameters": {"binary_data": True}}]},
            ["binary_data=False"],
        ),
    ],
)  # fmt: skip
def test_infer_refuses(client, body, fragments):
    assert_refused(client.post(INFER, body), 400, *fragments)
    assert_still_serves(client)


def test_binary_header_is_refused(client):
    for length in ("100", "0", "-1", "abc", "99999999999999"):
        headers = {"Inference-Header-Content-Length": length}
        response = client.post(INFER, one(), headers=headers)
        assert_refused(response, 400, "binary tensor data is not supported")
    assert_still_serves(client)


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        ([2] + [0] * 17, "2"),
        ([-1] + [0] * 17, "-1"),
        ([1.0] + [0] * 17, "`float`"),
        (["true"] + [0] * 17, "`str`"),
        ([None] + [0] * 17, "`null`"),
        ([float("nan")] + [0] * 17, "no NaN"),
    ],
)
def test_bools_are_strict(bool_client, data, fragment):
    bad = {"name": "observation", "shape": [1, 3, 3, 2], "datatype": "BOOL", "data": data}
    response = bool_client.post("/v2/models/minatar/infer", {"inputs": [bad]})
    assert_refused(response, 400, fragment)


@pytest.mark.parametrize("value", [256, -1, 2**70, 1.0, 1.5, True, "1", None])
def test_uint8_values_are_strict(pixel_client, value):
    data = [value] + [0] * (84 * 84 * 4 - 1)
    bad = {"name": "observation", "shape": [1, 84, 84, 4], "datatype": "UINT8", "data": data}
    response = pixel_client.post("/v2/models/pixels/infer", {"inputs": [bad]})
    assert_refused(response, 400, "observation: ", "expected integers from 0 to 255")


@pytest.mark.parametrize(
    ("body", "fragments"),
    [
        (b"", ["in JSON numbers are finite"]),
        (b"\xff", ["not UTF-8"]),
        (b'{"observation": ' + b"[" * 100_000, ["nested too deeply"]),
        ({}, ["missing required field `observation`"]),
        ({"observation": 1}, ["received values 0 lists deep", "expected 1 for one"]),
        ({"observation": "x"}, ["received values 0 lists deep"]),
        ({"observation": None}, ["received values 0 lists deep"]),
        ({"observation": {}}, ["received values 0 lists deep"]),
        ({"observation": []}, ["received shape [0]", "expected [4] for one"]),
        ({"observation": [[]]}, ["received shape [1, 0]"]),
        ({"observation": [[[1, 2, 3, 4]]]}, ["received values 3 lists deep"]),
        (
            {"observation": [1, 2, 3]},
            ["received shape [3]", "expected [4] for one, else", "[batch, 4]"],
        ),
        ({"observation": [[1, 2, 3, 4], [1]]}, ["unequal length"]),
        ({"observation": [[1, 2, 3, 4], 5]}, ["Expected `array`, got `int`", "$[1]"]),
        ({"observation": [1, 2, 3, "4"]}, ["Expected `float`, got `str`", "$[3]"]),
        ({"observation": [1, 2, 3, True]}, ["Expected `float`, got `bool`"]),
        ({"observation": [1, 2, 3, float("nan")]}, ["no NaN, no Infinity"]),
        ({"observation": [1, 2, 3, float("inf")]}, ["no NaN, no Infinity"]),
        ({"observation": [1, 2, 3, -1e39]}, ["beyond float32"]),
        ({"observation": OVERFLOWING}, ["non-finite numbers"]),
        ({"observation": [[0, 0, 0, 0]] * 1025}, ["received shape [1025, 4]", "1 to 1024"]),
        ({**GOOD, "deterministic": 1}, ["Expected `bool`, got `int`", "$.deterministic"]),
        ({**GOOD, "deterministic": None}, ["Expected `bool`, got `null`"]),
        ({**GOOD, "determinstic": False}, ["unknown field `determinstic`"]),
        ({**GOOD, "seed": -7}, ["received -7", "expected an integer from 0"]),
        ({**GOOD, "seed": 1.5}, ["got `float`", "$.seed"]),
        ({**GOOD, "seed": True}, ["got `bool`", "$.seed"]),
        ({**GOOD, "seed": "7"}, ["got `str`", "$.seed"]),
    ],
)
def test_act_refuses(client, body, fragments):
    assert_refused(client.post("/act", body), 400, *fragments)
    assert_still_serves(client)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/act/"),
        ("POST", "/act/x"),
        ("GET", "/v1/models/cartpole"),
        ("GET", "/v2/models"),
        ("GET", "/v2/models/"),
        ("GET", "/v2/health"),
        ("GET", "/v2/health/live/"),
        ("GET", "/v2/models/cartpole/stats"),
        ("GET", "/v2/models/pong"),
        ("GET", "/v2/models/pong/ready"),
        ("POST", "/v2/models/pong/infer"),
        ("GET", "/v2/models/CARTPOLE"),
        ("GET", "/v2/models/cartpole/versions/2"),
        ("GET", "/v2/models/cartpole/versions/01"),
        ("POST", "/v2/models/cartpole/versions/2/infer"),
        ("GET", "/v2/models/%2e%2e%2fetc%2fpasswd"),
        ("GET", "/v2/models/%00"),
        ("GET", "/v2/models/" + "x" * 5_000),
    ],
)
def test_unknown_paths_models_and_versions_are_404(client, method, path):
    response = client.request(method, path)
    assert_refused(response, 404, method, "expected")
    assert len(response.text) < 1_000
    assert_still_serves(client)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/act", "POST"),
        ("DELETE", "/act", "POST"),
        ("GET", INFER, "POST"),
        ("POST", "/v2", "GET"),
        ("PUT", "/v2/models/cartpole", "GET"),
        ("OPTIONS", "/v2/health/live", "GET"),
    ],
)
def test_wrong_methods_are_405(client, method, path, allowed):
    response = client.request(method, path)
    assert_refused(response, 405, method, path, allowed)
    assert allowed in response.headers["allow"]


def test_a_body_at_the_limit_is_read_and_one_byte_more_is_413(client):
    good = json.dumps(GOOD).encode()
    assert client.post("/act", good.ljust(LIMIT)).status_code == 200
    assert_refused(client.post("/act", good.ljust(LIMIT + 1)), 413, str(LIMIT + 1), str(LIMIT))
    assert_still_serves(client)


def test_what_is_announced_as_too_large_is_not_read(client):
    async def never_read():
        raise AssertionError("the body was read")
        yield b""

    headers = {"Content-Length": str(LIMIT + 1)}
    response = client.request("POST", INFER, content=never_read(), headers=headers)
    assert_refused(response, 413, str(LIMIT))


def test_chunks_are_counted_while_they_come(client):
    sent = []

    async def endless():
        while len(sent) < LIMIT:
            sent.append(1)
            yield b" " * 1024

    assert_refused(client.request("POST", "/act", content=endless()), 413, f"over {LIMIT}")
    assert len(sent) <= LIMIT // 1024 + 1
    assert_still_serves(client)


def test_the_limit_of_large_observations_is_64_mib(pixel_client):
    headers = {"Content-Length": str(64 * 2**20 + 1)}
    response = pixel_client.request("POST", "/act", content=b"", headers=headers)
    assert_refused(response, 413, str(64 * 2**20))


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "", "\u00b2"])
def test_a_content_length_that_is_no_number_is_400(client, length):
    headers = {"Content-Length": length.encode()}
    assert_refused(client.request("POST", "/act", content=b"", headers=headers), 400, "expected")


def test_compressed_bodies_are_415(client):
    response = client.post("/act", GOOD, headers={"Content-Encoding": "gzip"})
    assert_refused(response, 415, "'gzip'", "expected plain JSON")
    assert_still_serves(client)


def test_a_body_that_does_not_arrive_is_408(client, monkeypatch):
    monkeypatch.setattr(request_body, "SECONDS", 0.01)

    async def stalled():
        yield b"{"
        await asyncio.sleep(60)

    assert_refused(client.request("POST", "/act", content=stalled()), 408, "send it again")


def test_a_long_name_is_not_echoed_whole(client):
    response = client.post(INFER, one(name="x" * 100_000))
    assert_refused(response, 400)
    assert len(response.content) < 1_000


class FailingPolicy:
    """A policy with a defect of its own, which no request is to blame for."""

    def __init__(self, policy):
        self.name, self.version = policy.name, policy.version
        self.inputs, self.choices = policy.inputs, policy.choices

    def run(self, inputs):
        raise RuntimeError("/secret/path")


def test_a_defect_is_500_without_its_details(cartpole_policy):
    app = make_app(FailingPolicy(cartpole_policy))

    async def ask():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/act", json=GOOD)

    response = asyncio.run(ask())
    assert_refused(response, 500, "internal error")
    assert "secret" not in response.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
TENSOR_LIKE = st.fixed_dictionaries(
    {
        "name": st.just("observation") | JSON,
        "shape": st.just([1, 4]) | JSON,
        "datatype": st.just("FP32") | JSON,
        "data": st.lists(st.floats(width=32) | JSON, min_size=3, max_size=5) | JSON,
    }
)
INFER_LIKE = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR_LIKE, max_size=2) | JSON},
    optional={"id": JSON, "outputs": JSON, "parameters": JSON, "other": JSON},
)
ACT_LIKE = st.fixed_dictionaries(
    {"observation": st.lists(st.floats(width=32) | JSON, min_size=3, max_size=5) | JSON},
    optional={"deterministic": JSON, "seed": JSON},
)
BODIES = (INFER_LIKE | ACT_LIKE | JSON).map(lambda tree: json.dumps(tree).encode()) | st.binary()


@pytest.mark.parametrize("answer", [act, infer])
@given(body=BODIES)
@settings(max_examples=300, deadline=None)
def test_no_body_fails_in_another_way(cartpole_policy, answer, body):
    try:
        content = answer(cartpole_policy, body)
    except InvalidInputError as error:
        assert msgspec.json.encode(str(error))
    else:
        assert np.isfinite(msgspec.json.decode(content).get("value", 0))
