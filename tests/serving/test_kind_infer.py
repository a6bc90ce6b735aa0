"""The Open Inference Protocol for every kind of policy."""

import numpy as np
import pytest

from serving.tensors import DATATYPES


def tensors_of(inputs):
    return [
        {
            "name": name,
            "shape": list(values.shape),
            "datatype": DATATYPES[values.dtype.name],
            "data": values.ravel().tolist(),
        }
        for name, values in inputs.items()
    ]


def infer(served, tensors, **fields):
    path = f"/v2/models/{served.small.name}/infer"
    return served.client.post(path, {"inputs": tensors} | fields)


def outputs_of(response):
    assert response.status_code == 200, response.text
    return {output["name"]: output for output in response.json()["outputs"]}


PARAMETERS = {True: ["mean", "log_std"], False: ["logits"]}


def test_metadata_lists_every_input_and_output(served):
    small, metadata = served.small, served.client.get(f"/v2/models/{served.small.name}").json()
    assert metadata["inputs"] == [
        {"name": name, "datatype": DATATYPES[dtype], "shape": [-1, *shape]}
        for name, (dtype, shape) in small.inputs.items()
    ]
    outputs = small.run(small.random_inputs(1))
    names = ["action", *PARAMETERS[small.is_continuous], "value"]
    names += ["state_out"] if small.kind.is_recurrent else []
    assert metadata["outputs"] == [
        {
            "name": name,
            "datatype": DATATYPES[outputs[name].dtype.name],
            "shape": [-1, *outputs[name].shape[1:]],
        }
        for name in names
    ]


def test_infer_gives_all_that_the_network_gives(served):
    inputs = served.small.random_inputs(6)
    outputs = outputs_of(infer(served, tensors_of(inputs)[::-1]))
    expected = served.small.run(inputs)
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        assert outputs[name]["shape"] == list(values.shape)
        np.testing.assert_allclose(outputs[name]["data"], values.ravel(), rtol=1e-4, atol=1e-5)


def test_infer_gives_only_what_is_asked_for(served):
    tensors = tensors_of(served.small.random_inputs(2))
    asked = [*served.policy.outputs][:0:-1]
    response = infer(served, tensors, outputs=[{"name": name} for name in asked])
    assert list(outputs_of(response)) == asked


def test_every_input_is_needed_exactly_once(served):
    tensors = tensors_of(served.small.random_inputs(2))
    for i, tensor in enumerate(tensors):
        for wrong in (tensors[:i] + tensors[i + 1 :], [*tensors, tensor]):
            response = infer(served, wrong)
            assert response.status_code == 400
            assert "expected each once: " in response.json()["error"]
            assert repr(tensor["name"]) in response.json()["error"].partition("expected")[2]


@pytest.mark.parametrize("name", ["dict", "masked", "everything"])
def test_batch_sizes_must_agree(served_named, name):
    served = served_named(name)
    two, three = (tensors_of(served.small.random_inputs(rows)) for rows in (2, 3))
    for i in range(1, len(two)):
        response = infer(served, [*two[:i], three[i], *two[i + 1 :]])
        assert response.status_code == 400
        assert f"{two[i]['name']}: received 3 rows; expected 2" in response.json()["error"]


def test_a_mask_that_allows_nothing_is_refused(served_named):
    served = served_named("masked_bernoulli")
    inputs = served.small.random_inputs(2)
    inputs["action_mask"][1, 2:] = False
    response = infer(served, tensors_of(inputs))
    assert response.status_code == 400
    assert "row 1 forbids all values 2 to 3" in response.json()["error"]


def test_each_input_has_its_own_datatype(served_named):
    served = served_named("everything")
    for i in range(5):
        tensors = tensors_of(served.small.random_inputs(2))
        tensors[i]["datatype"] = "INT16"
        response = infer(served, tensors)
        assert response.status_code == 400
        assert f"{tensors[i]['name']}: received datatype 'INT16'" in response.json()["error"]
