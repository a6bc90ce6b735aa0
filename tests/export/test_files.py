"""The exported files: names, types, shapes, and that they act as the agent did."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from export import formats
from export.inference import Inference

OUTPUTS = ["action", "logits", "value"]
RANDOM_OPERATIONS = {"RandomNormal", "RandomUniform", "Multinomial", "Bernoulli", "Dropout"}


def test_the_onnx_file_passes_the_full_check(exported: Any) -> None:
    model = onnx.load(exported.onnx)
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain: opset.version for opset in model.opset_import}[""] == 17
    assert not RANDOM_OPERATIONS & {node.op_type for node in model.graph.node}


def test_the_onnx_file_has_the_names_types_and_shapes_of_the_contract(exported: Any) -> None:
    session = onnxruntime.InferenceSession(exported.onnx)
    spec = exported.source.agent.spec
    (observation,) = session.get_inputs()
    assert (observation.name, observation.shape) == (
        "observation",
        ["batch", *spec.observation_shape],
    )
    expected = {"float32": "tensor(float)", "bool": "tensor(bool)"}
    assert observation.type == expected[str(spec.observation_space.dtype)]
    outputs = [(output.name, output.type, output.shape) for output in session.get_outputs()]
    assert outputs == [
        ("action", "tensor(int32)", ["batch"]),
        ("logits", "tensor(float)", ["batch", int(spec.action_space.n)]),
        ("value", "tensor(float)", ["batch"]),
    ]


@pytest.mark.parametrize("batch", [1, 3, 200])
def test_both_files_act_as_the_network_for_any_batch(exported: Any, batch: int) -> None:
    space = exported.source.agent.spec.observation_space
    observation = np.stack([space.sample() for _ in range(batch)])
    if space.dtype == np.float32:  # bounds of 1e38 would be no test of a small network
        observation = np.random.default_rng(batch).normal(size=observation.shape).astype("float32")
    expected = exported.source.agent.model(observation)
    for run in (
        formats.run_onnx(exported.onnx),
        formats.run_saved_model(exported.folder / "saved_model"),
    ):
        received = run({"observation": observation})
        assert received.keys() == set(OUTPUTS)
        np.testing.assert_allclose(received["logits"], expected["policy"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(received["value"], expected["value"], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(received["action"], received["logits"].argmax(axis=-1))
        assert [received[name].dtype for name in OUTPUTS] == [np.int32, np.float32, np.float32]


def test_the_saved_model_takes_the_observation_alone(exported: Any) -> None:
    signature = tf.saved_model.load(str(exported.folder / "saved_model")).signatures[
        "serving_default"
    ]
    positional, named = signature.structured_input_signature
    assert (positional, list(named)) == ((), ["observation"])
    spec = exported.source.agent.spec
    assert named["observation"].shape.as_list() == [None, *spec.observation_shape]
    assert named["observation"].dtype == spec.observation_space.dtype
    assert sorted(signature.structured_outputs) == OUTPUTS


def first_returns(act: Callable[[np.ndarray], np.ndarray], episodes: int) -> list[float]:
    """The return of the first episode of each of gymnasium's own CartPoles."""
    envs = gymnasium.make_vec("CartPole-v1", num_envs=episodes, vectorization_mode="sync")
    observation, _ = envs.reset(seed=7)
    returns, playing = np.zeros(episodes), np.ones(episodes, bool)
    while playing.any():
        observation, reward, terminated, truncated, _ = envs.step(act(observation))
        returns += reward * playing
        playing &= ~(terminated | truncated)
    envs.close()
    return returns.tolist()


def test_ten_episodes_with_onnxruntime_return_what_the_network_gets(cartpole: Any) -> None:
    onnx_policy = formats.run_onnx(cartpole.onnx)
    network = Inference(cartpole.source.agent)
    by_onnx = first_returns(lambda x: onnx_policy({"observation": x})["action"], 10)
    assert by_onnx == first_returns(lambda x: network({"observation": x})["action"], 10)
    assert len(set(by_onnx)) > 1 and min(by_onnx) >= 8


ELSEWHERE = """
import json, sys
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("policy.onnx")
manifest = json.load(open("manifest.json"))
for sample in manifest["golden"]:
    inputs, expected = sample["inputs"], sample["outputs"]
    observation = np.array([inputs["observation"]], manifest["inputs"][0]["dtype"])
    action, logits, value = session.run(["action", "logits", "value"], {"observation": observation})
    assert action[0] == expected["action"]
    assert np.allclose(logits[0], expected["logits"], rtol=1e-5, atol=1e-5)
    assert np.allclose(value[0], expected["value"], rtol=1e-5, atol=1e-5)
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"tensorflow", "keras", "a2c_tf", "export", "gymnasium"}
print(len(manifest["golden"]))
"""


@pytest.mark.process
def test_the_policy_runs_where_there_is_no_tensorflow(exported: Any, tmp_path: Path) -> None:
    for name in ("policy.onnx", "manifest.json"):
        shutil.copy(exported.folder / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
