"""A model is served only if it is what its manifest says; else one line and exit code 3."""

import json

import numpy as np
import onnx
import pytest
from onnx import external_data_helper
from support.graph_edits import renamed
from support.onnx_models import onnx_model, write_export
from support.small_policies import KINDS, small_policy

from serving.__main__ import main
from serving.loading import load_policy

ONES = {"observation": np.ones((1, 4), np.float32)}


@pytest.fixture
def export(tmp_path, cartpole):
    """A sound export with one golden sample, for a test to spoil."""
    return write_export(tmp_path / "export", cartpole, golden=ONES)


def change_manifest(export, **changes):
    file = export / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps(manifest | changes))


def change_golden(export, part="outputs", **changes):
    (sample,) = json.loads((export / "manifest.json").read_text())["golden"]
    change_manifest(export, golden=[sample | {part: sample[part] | changes}])


def assert_exits_3(capsys, path, *fragments, options=()):
    """main itself, whose port is never bound: 1 needs root, so binding it would end with 1."""
    assert main([str(path), "--port", "1", "--host", "192.0.2.1", *options]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    for fragment in fragments:
        assert fragment in line


def test_a_folder_is_named_by_its_manifest(export):
    assert load_policy(export, None).name == "cartpole"


def test_a_file_uses_the_manifest_beside_it(export, capsys):
    assert load_policy(export / "policy.onnx", None).name == "cartpole"
    change_manifest(export, onnx_sha256="0" * 64)
    assert_exits_3(capsys, export / "policy.onnx", "SHA-256")


def test_a_file_without_a_manifest_is_served_unverified(export):
    (export / "manifest.json").unlink()
    assert load_policy(export / "policy.onnx", None).name == "policy"


def test_name_overrides_the_manifest(export):
    change_manifest(export, name="no/name")
    assert load_policy(export, "mine-1.0_b").name == "mine-1.0_b"


@pytest.mark.parametrize("name", ["a/b", "..", "-x", "a b", "a\nb", "x" * 65, "n\u00e4me"])
def test_names_that_no_url_takes_are_refused(export, capsys, name):
    assert_exits_3(capsys, export, "model name", "--name", options=[f"--name={name}"])
    change_manifest(export, name=name)
    assert_exits_3(capsys, export, "model name", "--name")


def test_output_specs_come_from_the_graph(tmp_path, cartpole):
    model = onnx_model(cartpole)
    (logits,) = (output for output in model.graph.output if output.name == "logits")
    logits.type.tensor_type.shape.dim[1].Clear()  # a width that the graph does not declare
    policy = load_policy(write_export(tmp_path, cartpole, model.SerializeToString()), None)
    inputs = cartpole.random_inputs(3)
    np.testing.assert_allclose(
        policy.run(inputs)["logits"], cartpole.run(inputs)["logits"], rtol=1e-5
    )
    assert [(spec.name, spec.dtype, spec.shape) for spec in policy.outputs.values()] == [
        ("action", "int32", (-1,)),
        ("logits", "float32", (-1, 2)),
        ("value", "float32", (-1,)),
    ]


def test_missing_files(tmp_path, export, capsys):
    assert_exits_3(capsys, tmp_path / "nowhere", "nowhere: not found", "expected an export folder")
    (export / "manifest.json").unlink()
    assert_exits_3(capsys, export, "manifest.json: not found")
    (export / "policy.onnx").unlink()
    assert_exits_3(capsys, export, "policy.onnx: not found")
    assert_exits_3(capsys, tmp_path, "policy.onnx: not found")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\x08\x12", b"\x00" * 100])
def test_what_is_no_model(tmp_path, cartpole, capsys, content):
    export = write_export(tmp_path, cartpole, content)
    assert_exits_3(capsys, export, "policy.onnx: not an ONNX model")


def test_a_damaged_model(export, capsys):
    content = (export / "policy.onnx").read_bytes()
    (export / "policy.onnx").write_bytes(content[:-1])
    assert_exits_3(capsys, export, "SHA-256", "damaged or from another export")


def test_a_truncated_model_without_a_manifest(export, capsys):
    content = (export / "policy.onnx").read_bytes()
    (export / "manifest.json").unlink()
    (export / "policy.onnx").write_bytes(content[: len(content) // 2])
    assert_exits_3(capsys, export / "policy.onnx", "not an ONNX model")


def test_weights_in_another_file_are_not_looked_for(tmp_path, cartpole, capsys):
    model = onnx_model(cartpole)
    external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    onnx.save(model, tmp_path / "spread.onnx")
    content = (tmp_path / "spread.onnx").read_bytes()
    write_export(tmp_path, cartpole, content)
    assert_exits_3(capsys, tmp_path, "not an ONNX model")


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "in JSON numbers are finite"),
        ("{", "in JSON numbers are finite"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "missing required field `format`"),
        ('{"format": 1}', "manifest of format 1, expected 2; export the run again"),
        ('{"format": 3}', "manifest of format 3, expected 2"),
        ('{"format": 2}', "missing required field `name`"),
        ('{"format": "2"}', "$.format"),
        ('{"format": 2, "x": ' + "[" * 60_000 + "]" * 60_000 + "}", "nested too deeply"),
        ('{"format": 2, "name": NaN}', "in JSON numbers are finite"),
    ],
)
def test_manifests_that_are_none(export, capsys, text, fragment):
    (export / "manifest.json").write_text(text)
    assert_exits_3(capsys, export, "manifest.json: ", fragment)


def test_a_manifest_that_is_not_utf_8(export, capsys):
    (export / "manifest.json").write_bytes(b'{"format": 2, "name": "\xff"}')
    assert_exits_3(capsys, export, "manifest.json: not UTF-8")


@pytest.mark.parametrize(
    "key", ["name", "inputs", "outputs", "action_distribution", "onnx_sha256", "golden"]
)
def test_manifests_without_a_part(export, capsys, key):
    file = export / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest[key]
    file.write_text(json.dumps(manifest))
    assert_exits_3(capsys, export, f"missing required field `{key}`")


OBSERVATION = {"name": "observation", "dtype": "float32", "shape": [-1, 4]}


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [OBSERVATION | {"name": "obs"}],
        [OBSERVATION | {"dtype": "float64"}],
        [OBSERVATION | {"shape": [-1, 5]}],
        [OBSERVATION | {"shape": [1, 4]}],
        [OBSERVATION, {"name": "state_in", "dtype": "float32", "shape": [-1, 8]}],
    ],
)
def test_other_inputs_than_the_manifests(export, capsys, inputs):
    change_manifest(export, inputs=inputs)
    assert_exits_3(capsys, export, "the model has inputs observation float32 [-1, 4]; its manif")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_other_outputs_than_the_manifests(export, capsys, index):
    outputs = json.loads((export / "manifest.json").read_text())["outputs"]
    change_manifest(export, outputs=outputs[:index] + outputs[index + 1 :])
    assert_exits_3(capsys, export, "the model has outputs action int32 [-1]")
    change_manifest(export, outputs=outputs[::-1])
    assert load_policy(export, None).name == "cartpole"


@pytest.mark.parametrize(
    "changes",
    [
        {"action": 2},
        {"action": -1},
        {"value": 1e3},
        {"logits": [0.0, 0.0]},
        {"logits": [0.0]},
        {"logits": []},
    ],
)
def test_golden_samples_that_are_not_reproduced(export, capsys, changes):
    change_golden(export, **changes)
    assert_exits_3(capsys, export, "golden sample 0", "its manifest", "export the run again")


def test_a_golden_action_that_is_not_the_best(export, capsys):
    (sample,) = json.loads((export / "manifest.json").read_text())["golden"]
    change_golden(export, action=1 - sample["outputs"]["action"])
    assert_exits_3(capsys, export, "golden sample 0")


def test_golden_numbers_may_differ_by_rounding(export):
    (sample,) = json.loads((export / "manifest.json").read_text())["golden"]
    change_golden(export, value=sample["outputs"]["value"] + 5e-5)
    assert load_policy(export, None)


@pytest.mark.parametrize(("tolerance", "passes"), [(2e-3, True), (5e-4, False)])
def test_golden_numbers_may_differ_by_what_the_manifest_allows(export, capsys, tolerance, passes):
    (sample,) = json.loads((export / "manifest.json").read_text())["golden"]
    change_golden(export, value=sample["outputs"]["value"] + 1e-3)
    change_manifest(export, tolerance={"value": tolerance})
    if passes:
        assert load_policy(export, None)
    else:
        assert_exits_3(capsys, export, "returns value")


def test_a_tolerance_below_zero_is_none(export, capsys):
    change_manifest(export, tolerance={"value": -1.0})
    assert_exits_3(capsys, export, "tolerance")


@pytest.mark.parametrize("tolerance", [0.0, 1e-2])
def test_a_golden_tie_is_as_wide_as_the_manifest_allows(tmp_path, cartpole, capsys, tolerance):
    weights = np.zeros_like(cartpole.weights)
    weights[0] = 2, 2 - 1e-2
    export = write_export(tmp_path, cartpole._replace(weights=weights), golden=ONES)
    change_golden(export, action=1)
    change_manifest(export, tolerance={"logits": tolerance})
    if tolerance:
        assert load_policy(export, None)
    else:
        assert_exits_3(capsys, export, "returns action 0 for golden sample 0")


def test_a_golden_tie_may_go_to_either(tmp_path, cartpole):
    tied = cartpole._replace(weights=np.ones_like(cartpole.weights))
    export = write_export(tmp_path, tied, golden=ONES)
    change_golden(export, action=1)
    assert load_policy(export, None)


@pytest.mark.parametrize(
    ("largest", "behind", "is_tied"),
    [(500, 0.008, True), (500, 0.02, False), (2, 5e-5, True), (2, 2e-4, False)],
)
def test_a_golden_tie_is_what_the_export_takes_for_one(
    tmp_path, cartpole, capsys, largest, behind, is_tied
):
    """Within 1e-4, or 2e-5 of the largest logit."""
    weights = np.zeros_like(cartpole.weights)
    weights[0] = largest, largest - behind
    export = write_export(tmp_path, cartpole._replace(weights=weights), golden=ONES)
    change_golden(export, action=1)
    if is_tied:
        assert load_policy(export, None)
    else:
        assert_exits_3(capsys, export, "returns action 0 for golden sample 0")


@pytest.mark.parametrize("observation", [[1, 1, 1], [[1, 1, 1, 1]], "x", [1, 1, 1, None], 1])
def test_golden_observations_of_another_shape(export, capsys, observation):
    change_golden(export, "inputs", observation=observation)
    assert_exits_3(capsys, export, "golden sample 0 of its manifest: observation: ")


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ("observation", "obs", "the model has inputs ['obs'], expected 'observation'"),
        ("logits", "mean", "the model has outputs ['action', 'mean', 'value']"),
    ],
)
def test_graphs_with_other_names(tmp_path, cartpole, capsys, old, new, fragment):
    model = renamed(onnx_model(cartpole), old, new).SerializeToString()
    assert_exits_3(capsys, write_export(tmp_path, cartpole, model), fragment)


def test_a_graph_of_one_batch_size(tmp_path, cartpole, capsys):
    model = onnx_model(cartpole)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = 1
    export = write_export(tmp_path, cartpole, model.SerializeToString())
    assert_exits_3(capsys, export, "expected only the batch symbolic")


@pytest.mark.parametrize(
    ("dtype", "fragment"),
    [
        ("float16", "output action is float16 [2]"),
        ("float32", "actions are Categorical, but the outputs action fl"),
    ],
)
def test_graphs_with_actions_of_another_type(tmp_path, cartpole, capsys, dtype, fragment):
    other = cartpole._replace(kind=cartpole.kind._replace(action_dtype=dtype))
    model = onnx_model(other).SerializeToString()
    assert_exits_3(capsys, write_export(tmp_path, cartpole, model), fragment)


def test_weights_that_are_not_numbers(tmp_path, cartpole, capsys):
    broken = cartpole._replace(value_weights=np.full_like(cartpole.value_weights, np.nan))
    (tmp_path / "policy.onnx").write_bytes(
        (write_export(tmp_path / "export", broken) / "policy.onnx").read_bytes()
    )
    assert_exits_3(capsys, tmp_path / "policy.onnx", "batch of 2 zeros", "non-finite")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "int64", "float64"])
def test_every_observation_dtype(tmp_path, dtype):
    kind = KINDS["cartpole"]._replace(observations={"observation": (dtype, (4,))})
    policy = load_policy(write_export(tmp_path, small_policy("cartpole", kind)), None)
    assert policy.inputs["observation"].dtype == dtype
