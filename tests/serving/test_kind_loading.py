"""A policy of any kind is served only if it is what its manifest says."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.asgi import AsgiClient, request_of
from support.graph_edits import renamed, retyped, with_output
from support.onnx_models import onnx_model, write_export
from support.small_policies import small_policy

from serving.app import make_app
from serving.errors import ModelError
from serving.loading import load_policy


@pytest.fixture
def export_of(tmp_path):
    """A sound export of a kind, for a test to spoil."""

    def export(name, **changes):
        return write_export(tmp_path / name, small_policy(name)._replace(**changes))

    return export


def change_manifest(export, change):
    file = export / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def refusal(export):
    with pytest.raises(ModelError) as raised:
        load_policy(export, None)
    return str(raised.value)


KINDS = ["started", "bernoulli", "gaussian", "tanh_gaussian", "dict", "everything"]


@pytest.mark.parametrize("name", KINDS)
def test_every_output_of_every_golden_sample_is_checked(export_of, name):
    export = export_of(name)
    sound = (export / "manifest.json").read_text()
    for output in json.loads(sound)["golden"][1]["outputs"]:

        def spoil(manifest, output=output):
            values = manifest["golden"][1]["outputs"]
            changed = np.array(values[output])
            changed[...] += 1
            values[output] = changed.tolist()

        change_manifest(export, spoil)
        text = refusal(export)
        assert f"returns {output} " in text and "golden sample 1" in text
        assert "export the run again" in text
        (export / "manifest.json").write_text(sound)
    assert load_policy(export, None).name == name


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_a_golden_sample_has_every_tensor(export_of, part):
    for name in ("everything", "gaussian"):
        export = export_of(name)
        change_manifest(export, lambda manifest: manifest["golden"][0][part].popitem())
        assert f"golden sample 0 of its manifest: {part} [" in refusal(export)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("everything", {"state_in": [0.0]}),
        ("everything", {"reset": 2}),
        ("everything", {"action_mask": [True]}),
        ("dict", {"observation_goal": "1"}),
    ],
)
def test_golden_inputs_that_are_none(export_of, name, change):
    export = export_of(name)
    change_manifest(export, lambda manifest: manifest["golden"][0]["inputs"].update(change))
    assert f"golden sample 0 of its manifest: {next(iter(change))}: " in refusal(export)


@pytest.mark.parametrize("name", ["gaussian", "tanh_gaussian"])
@pytest.mark.parametrize(("factor", "is_sound"), [(0.5, True), (2, False)])
def test_continuous_actions_may_differ_by_rounding(export_of, name, factor, is_sound):
    """By 1e-4, relative to the number where that is larger than 1."""
    export = export_of(name)

    def shift(manifest):
        outputs = manifest["golden"][0]["outputs"]
        action = np.array(outputs["action"])
        outputs["action"] = (action + factor * 1e-4 * np.maximum(1, abs(action))).tolist()

    change_manifest(export, shift)
    if is_sound:
        assert load_policy(export, None)
    else:
        assert "returns action" in refusal(export)


@pytest.mark.parametrize("name", ["started", "multi_categorical", "bernoulli", "everything"])
def test_ties_may_go_to_either_in_every_component(export_of, name):
    weights = small_policy(name).weights
    export = export_of(name, weights=np.zeros_like(weights))

    def other(manifest):
        sample = manifest["golden"][0]
        if name == "everything":  # where a mask may forbid the other
            sample["inputs"]["action_mask"] = [True] * 5
            sample["outputs"] |= {"action": [0, 2], "logits": [0.0] * 5}
        sample["outputs"]["action"] = (np.array(sample["outputs"]["action"]) + 1).tolist()

    change_manifest(export, other)
    assert load_policy(export, None)


@pytest.mark.parametrize(
    ("name", "other"),
    [("masked", 4), ("masked_multi_categorical", [1, 0]), ("masked_bernoulli", [1, 0])],
)
def test_what_a_mask_forbids_makes_no_tie_of_the_rest(export_of, name, other):
    """Its logits, of 1e9, are no measure of the others."""
    export = export_of(name)
    outputs = json.loads((export / "manifest.json").read_text())["golden"][0]["outputs"]
    assert 1e9 in np.abs(outputs["logits"]) and outputs["action"] != other
    change_manifest(export, lambda manifest: manifest["golden"][0]["outputs"].update(action=other))
    assert "returns action" in refusal(export)


def test_a_tie_of_one_component_does_not_excuse_another(export_of):
    weights = small_policy("multi_categorical").weights.copy()
    weights[:, :2] = 0  # of the first component
    export = export_of("multi_categorical", weights=weights)

    def other_of_first(manifest):
        action = manifest["golden"][0]["outputs"]["action"]
        action[0][0] = 1 - action[0][0]

    def other_of_third(manifest):
        action = manifest["golden"][0]["outputs"]["action"]
        action[1][0] = -3 - action[1][0]  # -2 or -1

    change_manifest(export, other_of_first)
    assert load_policy(export, None)
    change_manifest(export, other_of_third)
    assert "returns action" in refusal(export)


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("started", {"type": "gaussian", "low": [0], "high": [1], "shape": [1]}),
        ("started", {"type": "bernoulli", "shape": [3]}),
        ("gaussian", {"type": "categorical", "start": 0}),
        ("gaussian", {"type": "gaussian", "low": [0.0] * 2, "high": [1.0] * 3, "shape": [3]}),
        ("gaussian", {"type": "gaussian", "low": [0.0] * 3, "high": [1.0] * 3, "shape": [3, 1]}),
        ("gaussian", {"type": "gaussian", "low": [0.0] * 4, "high": [1.0] * 4, "shape": [4]}),
        ("tanh_gaussian", {"type": "tanh_gaussian", "low": [0.0], "high": [1.0] * 2, "shape": [2]}),
        ("bernoulli", {"type": "bernoulli", "shape": [4]}),
        ("bernoulli", {"type": "categorical", "start": 0}),
        (
            "multi_categorical",
            {"type": "multi_categorical", "nvec": [11], "start": [0], "shape": []},
        ),
        (
            "multi_categorical",
            {"type": "multi_categorical", "nvec": [2, 3, 2, 5], "start": [0] * 4, "shape": [2, 2]},
        ),
        (
            "multi_categorical",
            {"type": "multi_categorical", "nvec": [2, 3, 2, 4], "start": [0] * 3, "shape": [2, 2]},
        ),
    ],
)
def test_distributions_of_other_sizes_than_the_outputs(export_of, name, distribution):
    export = export_of(name)
    change_manifest(export, lambda manifest: manifest.update(action_distribution=distribution))
    text = refusal(export)
    assert "its manifest says that actions are " in text and "export the run again" in text


@pytest.mark.parametrize(
    ("distribution", "fragment"),
    [
        (None, "$.action_distribution"),
        ({}, "missing required field `type`"),
        ({"type": "beta"}, "Invalid value 'beta'"),
        ({"type": "categorical"}, "missing required field `start`"),
        ({"type": "multi_categorical", "nvec": [0], "start": [0], "shape": []}, "nvec[0]"),
        ({"type": "tanh_gaussian", "low": [None], "high": [1], "shape": [1]}, "low[0]"),
        ({"type": "gaussian", "low": 0, "high": 1, "shape": []}, "$.action_distribution.low"),
    ],
)
def test_distributions_that_are_none(export_of, distribution, fragment):
    export = export_of("started")
    change_manifest(export, lambda manifest: manifest.update(action_distribution=distribution))
    assert fragment in refusal(export)


def test_a_mask_has_a_value_for_each_choice(tmp_path):
    small = small_policy("masked_multi_categorical")
    assert load_policy(write_export(tmp_path / "sound", small), None).choices == (3, 2)
    model = onnx_model(small)
    (mask,) = (tensor for tensor in model.graph.input if tensor.name == "action_mask")
    mask.type.tensor_type.shape.dim[1].dim_value = 1  # which broadcasts
    text = refusal(write_export(tmp_path / "export", small, model.SerializeToString()))
    assert "input action_mask has 1 values a row, expected 5" in text


def test_a_graph_that_fails_where_nothing_is_allowed_is_served(tmp_path):
    """As one that divides by the number of permitted actions; no request gets it there."""
    small = small_policy("masked")._replace(value_weights=np.zeros(4, np.float32))
    model = onnx_model(small)
    divide = helper.make_node("Div", ["former", "any"], ["value"])
    model = with_output(model, "value", ["batch"], divide)
    model.graph.node.insert(
        0, helper.make_node("ReduceMax", ["ones"], ["any"], axes=[1], keepdims=0)
    )
    model.graph.node.insert(
        0, helper.make_node("Cast", ["action_mask"], ["ones"], to=TensorProto.FLOAT)
    )
    assert load_policy(write_export(tmp_path / "export", small, model.SerializeToString()), None)


@pytest.mark.parametrize(
    ("name", "old", "new", "fragment"),
    [
        ("dict", "observation_goal", "goal", "the model has inputs ['goal', 'observation_camera'"),
        ("dict", "observation_goal", "observation", "expected 'observation', or 'observation_KEY'"),
        ("masked", "action_mask", "mask", "the model has inputs ['mask', 'observation']"),
        ("recurrent", "reset", "first", "'state_in' with 'reset'"),
        ("recurrent", "state_out", "state", "and 'state_out' where it has 'state_in'"),
        ("gaussian", "log_std", "std", "'mean' with 'log_std'"),
        ("gaussian", "mean", "logits", "the model has outputs ['action', 'log_std', 'logits'"),
    ],
)
def test_graphs_with_other_names(tmp_path, name, old, new, fragment):
    small = small_policy(name)
    model = renamed(onnx_model(small), old, new)
    assert fragment in refusal(write_export(tmp_path / "export", small, model.SerializeToString()))


@pytest.mark.parametrize(
    ("name", "tensor", "dtype", "shape", "fragment"),
    [
        ("recurrent", "reset", TensorProto.FLOAT, ["batch"], "input reset is float32 ['batch']"),
        ("recurrent", "state_in", TensorProto.DOUBLE, ["batch", 3], "input state_in is float64"),
        ("recurrent", "state_in", TensorProto.FLOAT, ["batch", 3, 1], "float32 of rank 2"),
        ("masked", "action_mask", TensorProto.INT8, ["batch", 4], "expected bool of rank 2"),
        ("masked", "action_mask", TensorProto.BOOL, ["batch", "m"], "only the batch symbolic"),
        ("dict", "observation_goal", TensorProto.INT64, [2], "only the batch symbolic"),
    ],
)
def test_graphs_with_other_types(tmp_path, name, tensor, dtype, shape, fragment):
    small = small_policy(name)
    model = retyped(onnx_model(small), tensor, dtype, shape)
    assert fragment in refusal(write_export(tmp_path / "export", small, model.SerializeToString()))


@pytest.mark.parametrize(
    ("name", "node", "shape", "fragment"),
    [
        (
            "gaussian",
            helper.make_node("Concat", ["former", "former"], ["log_std"], axis=1),
            ["batch", 6],
            "output log_std has shape [-1, 6], expected [-1, 3] as mean",
        ),
        (
            "recurrent",
            helper.make_node("Concat", ["former", "former"], ["state_out"], axis=1),
            ["batch", 6],
            "output state_out has shape [-1, 6], expected [-1, 3] as state_in",
        ),
        (
            "recurrent",
            helper.make_node("ReduceMax", ["former"], ["state_out"], axes=[1], keepdims=0),
            ["batch"],
            "output state_out is float32 [2] for 2 observations, expected float32 of rank 2",
        ),
        (
            "gaussian",
            helper.make_node("ReduceMax", ["former"], ["mean"], axes=[0], keepdims=1),
            [1, 3],
            "output mean is float32 [1, 3] for 2 observations",
        ),
    ],
)
def test_graphs_with_other_outputs(tmp_path, name, node, shape, fragment):
    small = small_policy(name)
    model = with_output(onnx_model(small), node.output[0], shape, node)
    assert fragment in refusal(write_export(tmp_path / "export", small, model.SerializeToString()))


@pytest.fixture
def bare(export_of):
    """A client of a kind whose manifest is lost."""

    def bare(name):
        export = export_of(name)
        (export / "manifest.json").unlink()
        return AsgiClient(make_app(load_policy(export / "policy.onnx", None)))

    return bare


@pytest.mark.parametrize("name", ["dict", "recurrent"])
def test_plainly_categorical_actions_are_sampled_without_a_manifest(bare, name):
    small, client = small_policy(name), bare(name)
    body = request_of(small.random_inputs(64)) | {"deterministic": False, "seed": 1}
    first, second = (client.post("/act", body).json()["action"] for _ in range(2))
    assert first == second and set(first) <= set(range(4)) and len(set(first)) > 1


@pytest.mark.parametrize(
    "name",
    [
        "started",
        "multi_categorical",
        "bernoulli",
        "gaussian",
        "tanh_gaussian",
        "masked",
        "masked_multi_categorical",
        "everything",
    ],
)
def test_other_actions_are_greedy_without_a_manifest(bare, name):
    small, client = small_policy(name), bare(name)
    inputs = small.random_inputs(3)
    action = client.post("/act", request_of(inputs)).json()["action"]
    np.testing.assert_allclose(action, small.run(inputs)["action"], rtol=1e-5, atol=1e-5)
    response = client.post("/act", request_of(inputs) | {"deterministic": False})
    assert response.status_code == 400
    assert "needs the manifest" in response.json()["error"]


def test_a_mask_must_allow_something_without_a_manifest_too(bare):
    small, client = small_policy("masked_bernoulli"), bare("masked_bernoulli")
    inputs = small.random_inputs(2)
    inputs["action_mask"][1] = False
    response = client.post("/act", request_of(inputs))
    assert response.status_code == 400
    assert "row 1 forbids all values 0 to 3" in response.json()["error"]
