"""`manifest.json`: that it says what the files are."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnxruntime
import pytest

from a2c_tf.config import Config
from export import exporting, manifest

KEYS = {
    "format",
    "name",
    "environment",
    "observation_space",
    "action_space",
    "action_meanings",
    "action_distribution",
    "inputs",
    "outputs",
    "config",
    "env_steps",
    "evaluation",
    "versions",
    "opset",
    "onnx_sha256",
    "parity",
    "golden",
    "tolerance",
}


def test_it_has_what_the_contract_names(exported: Any) -> None:
    assert exported.manifest.keys() == KEYS
    assert (exported.manifest["format"], exported.manifest["opset"]) == (2, 17)


def test_the_hash_is_that_of_the_onnx_file(exported: Any) -> None:
    digest = hashlib.sha256(exported.onnx.read_bytes()).hexdigest()
    assert exported.manifest["onnx_sha256"] == digest


def test_tensors_are_described_as_onnxruntime_sees_them(exported: Any) -> None:
    session = onnxruntime.InferenceSession(exported.onnx)
    types = {"float32": "tensor(float)", "bool": "tensor(bool)", "int32": "tensor(int32)"}
    for described, found in (
        (exported.manifest["inputs"], session.get_inputs()),
        (exported.manifest["outputs"], session.get_outputs()),
    ):
        assert [(tensor["name"], types[tensor["dtype"]]) for tensor in described] == [
            (tensor.name, tensor.type) for tensor in found
        ]
        for tensor, same in zip(described, found, strict=True):
            assert tensor["shape"] == [-1, *same.shape[1:]]


def test_the_agent_and_its_training_are_told(cartpole: Any) -> None:
    told, source = cartpole.manifest, cartpole.source
    assert told["name"] == "cartpole-v1"
    assert told["environment"] == {"id": "CartPole-v1", "max_episode_steps": 500}
    assert told["action_space"] == {"type": "Discrete", "n": 2, "start": 0}
    assert told["action_distribution"] == {"type": "categorical", "start": 0}
    assert told["action_meanings"] == ["left", "right"]
    assert told["env_steps"] == source.counters.env_steps >= 20_000
    assert told["evaluation"] == source.evaluation and told["evaluation"]["episodes"] == 7
    assert Config.model_validate(told["config"]) == source.config


@pytest.mark.slow
def test_an_agent_that_was_never_evaluated_has_no_score(breakout: Any) -> None:
    assert breakout.manifest["name"] == "minatar-breakout-v1"
    assert (breakout.manifest["env_steps"], breakout.manifest["evaluation"]) == (0, None)
    assert breakout.manifest["observation_space"] == {
        "type": "Box",
        "shape": [10, 10, 4],
        "dtype": "bool",
        "low": 0.0,
        "high": 1.0,
    }


def test_the_versions_are_those_installed(exported: Any) -> None:
    versions = exported.manifest["versions"]
    assert {"tensorflow", "keras", "numpy", "onnx", "onnxruntime"} <= versions.keys()
    for library, version in versions.items():
        assert version == importlib.metadata.version(library)


def test_parity_was_measured_over_a_thousand_observations(exported: Any) -> None:
    parity = exported.manifest["parity"]
    assert parity["observations"] > 1000
    assert parity["batches"] == [1, 2, 7, 64]
    assert parity["max_difference"].keys() == {"onnx", "saved_model"}
    assert all(0 <= difference <= 1e-5 for difference in parity["max_difference"].values())
    assert parity["float32_steps"].keys() == {"network", "onnx", "saved_model"}
    assert all(0 < steps < 20 for steps in parity["float32_steps"].values())
    assert parity["allowed_steps"].keys() == {"logits", "value"}


def test_the_tolerance_of_golden_samples_is_what_rounding_explains(exported: Any) -> None:
    tolerance = exported.manifest["tolerance"]
    assert tolerance.keys() == {"logits", "value"}
    assert all(0 < number < 1e-3 for number in tolerance.values())


def test_golden_samples_are_different_and_in_the_space(exported: Any) -> None:
    space = exported.source.agent.spec.observation_space
    observations = [
        np.array(sample["inputs"]["observation"], space.dtype)
        for sample in exported.manifest["golden"]
    ]
    assert len(observations) == 4
    assert all(space.contains(observation) for observation in observations)
    assert len({observation.tobytes() for observation in observations}) > 1


@pytest.mark.parametrize(
    ("low", "high", "told_low", "told_high"),
    [
        (0.0, 1.0, 0.0, 1.0),
        (-np.inf, np.inf, None, None),
        (np.float32([0, -np.inf]), np.float32([1, 5]), [0.0, None], [1.0, 5.0]),
    ],
)
def test_bounds_are_one_number_where_they_are_and_null_without_end(
    low: Any, high: Any, told_low: Any, told_high: Any
) -> None:
    space = gymnasium.spaces.Box(low, high, (2,), np.float32)
    described = manifest.describe_space(space)
    assert (described["low"], described["high"]) == (told_low, told_high)


def test_a_space_without_a_description_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Text\(.*has no description"):
        manifest.describe_space(gymnasium.spaces.Text(3))


def test_every_space_that_an_agent_takes_is_described() -> None:
    parts = {
        "one": gymnasium.spaces.Discrete(3, start=-1),
        "several": gymnasium.spaces.MultiDiscrete([2, 3], start=[0, 4]),
        "bits": gymnasium.spaces.MultiBinary([2, 2]),
    }
    assert manifest.describe_space(gymnasium.spaces.Dict(parts)) == {
        "type": "Dict",
        "spaces": {
            "one": {"type": "Discrete", "n": 3, "start": -1},
            "several": {"type": "MultiDiscrete", "nvec": [2, 3], "start": [0, 4]},
            "bits": {"type": "MultiBinary", "shape": [2, 2]},
        },
    }


def test_versions_need_no_package_of_that_name(
    exported: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`tensorflow-cpu` holds the module `tensorflow`, too."""
    monkeypatch.setattr(importlib.metadata, "version", None)
    exporting.rehearse(exported.source, tmp_path / "export", "onnx")
    assert not list(tmp_path.iterdir())
