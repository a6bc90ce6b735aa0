"""The Open Inference Protocol: what good requests are answered."""

import json

import numpy as np
import pytest

import a2c_tf

INFER = "/v2/models/cartpole/infer"
OBSERVATIONS = np.array([[0.1, -0.2, 0.3, 0.4], [1, 2, -3, 0.5]], np.float32)


def tensor(observations, datatype="FP32", flat=False, name="observation"):
    data = observations.ravel() if flat else observations
    return {
        "name": name,
        "shape": list(observations.shape),
        "datatype": datatype,
        "data": data.tolist(),
    }


def outputs_of(response):
    assert response.status_code == 200, response.text
    return {output["name"]: output for output in response.json()["outputs"]}


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_metadata_advertises_no_extension(client, path):
    assert client.get(path).json() == {
        "name": "a2c_tf",
        "version": a2c_tf.__version__,
        "extensions": [],
    }


def test_health_satisfies_tritonclient_and_kserve(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}


@pytest.mark.parametrize("path", ["/v2/models/cartpole", "/v2/models/cartpole/versions/1"])
def test_model_metadata_names_tensors_with_a_variable_batch(client, path):
    assert client.get(path).json() == {
        "name": "cartpole",
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "observation", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [
            {"name": "action", "datatype": "INT32", "shape": [-1]},
            {"name": "logits", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "value", "datatype": "FP32", "shape": [-1]},
        ],
    }
    assert client.get(f"{path}/ready").json() == {"name": "cartpole", "ready": True}


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("path", [INFER, "/v2/models/cartpole/versions/1/infer"])
def test_infer_gives_what_the_network_gives(client, cartpole, path, flat):
    response = client.post(path, {"inputs": [tensor(OBSERVATIONS, flat=flat)]})
    outputs = outputs_of(response)
    expected = cartpole.run({"observation": OBSERVATIONS})
    assert list(outputs) == ["action", "logits", "value"]
    assert outputs["action"] == {
        "name": "action",
        "datatype": "INT32",
        "shape": [2],
        "data": expected["action"].tolist(),
    }
    assert outputs["logits"]["shape"] == [2, 2]
    np.testing.assert_allclose(outputs["logits"]["data"], expected["logits"].ravel(), rtol=1e-5)
    np.testing.assert_allclose(outputs["value"]["data"], expected["value"], rtol=1e-5)
    assert response.json()["model_name"] == "cartpole"
    assert response.json()["model_version"] == "1"
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("as_type", [bool, int])
def test_bool_observations_are_true_and_false_or_0_and_1(bool_client, minatar, flat, as_type):
    observations = np.random.default_rng(1).random((3, 3, 3, 2)) < 0.5
    request = {"inputs": [tensor(observations.astype(as_type), "BOOL", flat)]}
    outputs = outputs_of(bool_client.post("/v2/models/minatar/infer", request))
    logits = minatar.run({"observation": observations})["logits"]
    np.testing.assert_allclose(outputs["logits"]["data"], logits.ravel(), rtol=1e-4, atol=1e-5)


def test_uint8_images_are_served(pixel_client, pixels):
    images = np.random.default_rng(2).integers(0, 256, (2, 84, 84, 4), dtype=np.uint8)
    request = {"inputs": [tensor(images, "UINT8", flat=True)]}
    outputs = outputs_of(pixel_client.post("/v2/models/pixels/infer", request))
    assert outputs["action"]["data"] == pixels.run({"observation": images})["action"].tolist()


def test_outputs_come_as_asked_for(client):
    request = {
        "inputs": [tensor(OBSERVATIONS)],
        "outputs": [{"name": "value"}, {"name": "action", "parameters": {"binary_data": False}}],
    }
    assert list(outputs_of(client.post(INFER, request))) == ["value", "action"]


@pytest.mark.parametrize("absent", [{}, {"outputs": []}, {"outputs": None, "parameters": None}])
def test_all_outputs_come_where_none_is_asked_for(client, absent):
    response = client.post(INFER, {"inputs": [tensor(OBSERVATIONS)]} | absent)
    assert list(outputs_of(response)) == ["action", "logits", "value"]


@pytest.mark.parametrize("given", [{"id": "a"}, {"id": ""}, {}])
def test_id_is_echoed_if_and_only_if_given(client, given):
    answer = client.post(INFER, {"inputs": [tensor(OBSERVATIONS)]} | given).json()
    assert {key: value for key, value in answer.items() if key == "id"} == given


def test_unknown_keys_and_parameters_are_accepted(client):
    request = {
        "model_name": "cartpole",  # kserve's client sends it
        "parameters": {"priority": 3, "mine": "x"},
        "inputs": [tensor(OBSERVATIONS) | {"parameters": {"mine": 1.5}, "other": [1, {}]}],
    }
    assert client.post(INFER, request).status_code == 200


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain"])
def test_content_type_does_not_matter(client, content_type):
    headers = {"content-type": content_type} if content_type else {}
    response = client.post(INFER, {"inputs": [tensor(OBSERVATIONS)]}, headers=headers)
    assert response.status_code == 200


def test_indented_json_is_the_same(client):
    request = {"inputs": [tensor(OBSERVATIONS)]}
    indented = json.dumps(request, indent="\t").encode()
    assert client.post(INFER, indented).json() == client.post(INFER, request).json()


def test_a_batch_is_as_its_rows_alone(client):
    batch = np.random.default_rng(3).normal(size=(64, 4)).astype(np.float32)
    together = outputs_of(client.post(INFER, {"inputs": [tensor(batch)]}))
    for i in (0, 1, 33, 63):
        alone = outputs_of(client.post(INFER, {"inputs": [tensor(batch[i : i + 1])]}))
        assert alone["action"]["data"] == together["action"]["data"][i : i + 1]
        np.testing.assert_allclose(
            alone["value"]["data"], together["value"]["data"][i : i + 1], rtol=1e-5
        )


def test_the_largest_batch_fits_with_the_longest_numbers(client):
    batch = np.full((1024, 4), -2.2250738585072014e-308)
    body = json.dumps({"inputs": [tensor(batch)]}, indent=2).encode()
    assert outputs_of(client.post(INFER, body))["action"]["shape"] == [1024]


def test_the_largest_batch_of_bools_fits(bool_client):
    batch = np.zeros((1024, 3, 3, 2), bool)
    response = bool_client.post("/act", {"observation": batch.tolist()})
    assert len(response.json()["action"]) == 1024
