"""Names in an ONNX file: the same bytes for the same policy, whatever was exported before."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from support import ROOT

from a2c_tf import config
from a2c_tf.agent import make_agent
from a2c_tf.envs import registry
from export import formats
from export.inference import Inference
from export.naming import name_by_place

POLICIES = [
    ("cartpole", ()),
    ("cartpole", ("network.core=lstm", "network.shared=false")),
    ("minatar_breakout", ("network.hidden=[8]",)),
    ("pendulum", ()),
]


def exported(name: str, overrides: tuple[str, ...], path: Path) -> bytes:
    """Returns the ONNX file of a new agent, whose weights its config determines."""
    settings = config.load(name, [*overrides, "env.num_envs=2"])
    agent = make_agent(registry.make(settings.env).spec, settings)
    formats.write_onnx(Inference(agent), path)
    return path.read_bytes()


@pytest.mark.parametrize(("name", "overrides"), POLICIES)
def test_a_second_export_has_the_same_bytes(
    name: str, overrides: tuple[str, ...], tmp_path: Path
) -> None:
    first = exported(name, overrides, tmp_path / "first.onnx")
    exported("cartpole", ("network.hidden=[4]",), tmp_path / "another.onnx")
    assert exported(name, overrides, tmp_path / "second.onnx") == first


ELSEWHERE = """
import hashlib, sys
from pathlib import Path
from a2c_tf import cli
cli.import_tensorflow()
from a2c_tf import config
from a2c_tf.agent import make_agent
from a2c_tf.envs import registry
from export import formats
from export.inference import Inference

settings = config.load("cartpole", ["env.num_envs=2"])
path = Path(sys.argv[1])
formats.write_onnx(Inference(make_agent(registry.make(settings.env).spec, settings)), path)
print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


@pytest.mark.process
def test_another_process_exports_the_same_bytes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "theirs.onnx")],
        cwd=ROOT,
        env={"PATH": "", "PYTHONHASHSEED": "7", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    ours = exported("cartpole", (), tmp_path / "ours.onnx")
    assert done.stdout.strip() == hashlib.sha256(ours).hexdigest()


BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
converted (float[N] {x}, bool flag) => (float[N] y, float[N] z)
<float[1] {w} = {{2.0}}, float[1] {unused} = {{9.0}}>
{{
    {a} = Mul ({x_in}, {w})
    {dead} = Neg ({a})
    y = If (flag) <
        then_branch = one () => (float[N] {t}) {{ {s} = Add ({a}, {w}) {t} = Neg ({s}) }},
        else_branch = two () => (float[N] {u}) {{ {u} = Identity ({a}) }}
    >
    z = Sub (y, {a})
}}
"""
LETTERS = ("w", "unused", "a", "dead", "t", "s", "u")


def with_branches(suffix: str) -> onnx.ModelProto:
    names = {letter: f"{letter}{suffix}" for letter in LETTERS}
    return onnx.parser.parse_model(BRANCHES.format(x="x", x_in="x", **names))


def test_graphs_in_nodes_are_named_too_and_compute_as_before() -> None:
    before, model, other = with_branches("_17"), with_branches("_17"), with_branches("_4")
    name_by_place(model)
    name_by_place(other)
    assert model == other
    onnx.checker.check_model(model, full_check=True)
    assert [tensor.name for tensor in model.graph.output] == ["y", "z"]
    assert "Neg" not in [node.op_type for node in model.graph.node]  # no output needs it
    x = np.array([1.0, -3.0], np.float32)
    for flag in (True, False):
        inputs = {"x": x, "flag": np.array(flag)}
        results = [
            onnxruntime.InferenceSession(m.SerializeToString()).run(None, inputs)
            for m in (before, model)
        ]
        np.testing.assert_array_equal(*results)
