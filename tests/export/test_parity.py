"""The gate: what passes it, and that every kind of difference is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from a2c_tf.distributions import Bernoulli, Categorical, Distribution, MultiCategorical
from a2c_tf.distributions.discrete import FORBIDDEN
from export import formats, parity
from export.formats import Runner
from export.inference import Inference, Inputs, Outputs
from export.parity import ParityError
from export.samples import Samples, collect_samples, count_of
from serving import golden

LOGITS = np.array([[3.0, -1.0], [-2.0, 2.0]], np.float32)
TWO_ACTIONS = Categorical(2)


def samples_of(exported: Any) -> Samples:
    agent = exported.source.agent
    return collect_samples(agent, Inference(agent), exported.source.config)


@pytest.fixture(scope="module")
def samples(exported: Any) -> Samples:
    return samples_of(exported)


def check(exported: Any, files: dict[str, Runner], samples: Samples) -> parity.Parity:
    agent = exported.source.agent
    return parity.check(Inference(agent), files, samples, agent.distribution)


def test_what_was_exported_passes(exported: Any, samples: Samples) -> None:
    files = {
        "onnx": formats.run_onnx(exported.onnx),
        "saved_model": formats.run_saved_model(exported.folder / "saved_model"),
    }
    measured = check(exported, files, samples)
    assert measured.observations == sum(map(count_of, samples)) > 1000
    assert measured.max_difference.keys() == files.keys()
    assert max(measured.max_difference.values()) <= 1e-5


def test_observations_are_of_the_space_and_not_all_the_same(
    exported: Any, samples: Samples
) -> None:
    space = exported.source.agent.spec.observation_space
    for rows in (inputs["observation"] for inputs in samples):
        assert rows.dtype == space.dtype
        assert all(space.contains(row) for row in rows)
        assert len(np.unique(rows.reshape(len(rows), -1), axis=0)) > 100


def test_every_batch_size_is_run(exported: Any, samples: Samples) -> None:
    sizes = set()
    run = formats.run_onnx(exported.onnx)

    def noting(inputs: Inputs) -> Outputs:
        sizes.add(count_of(inputs))
        return run(inputs)

    check(exported, {"onnx": noting}, samples)
    assert {1, 2, 7, 64} <= sizes


def float_initializers(path: Path) -> list[str]:
    graph = onnx.load(path).graph
    return [
        weights.name
        for weights in graph.initializer
        if weights.data_type == onnx.TensorProto.FLOAT and np.prod(weights.dims) > 1
    ]


def perturbed(path: Path, name: str, out: Path) -> Runner:
    """The file with one hundredth added to one of its arrays of weights, as a function."""
    model = onnx.load(path)
    (weights,) = (one for one in model.graph.initializer if one.name == name)
    weights.CopyFrom(
        numpy_helper.from_array(numpy_helper.to_array(weights) + np.float32(0.01), name)
    )
    onnx.save(model, out)
    return formats.run_onnx(out)


def test_a_change_to_any_array_of_weights_is_refused(
    exported: Any, samples: Samples, tmp_path: Path
) -> None:
    names = float_initializers(exported.onnx)
    assert len(names) >= 4
    for name in names:
        runner = perturbed(exported.onnx, name, tmp_path / "changed.onnx")
        with pytest.raises(ParityError, match="differs from the network's by"):
            check(exported, {"onnx": runner}, samples)


def test_weights_of_another_agent_are_refused(cartpole: Any) -> None:
    inference = Inference(cartpole.source.agent)

    def negated(inputs: Inputs) -> Outputs:
        outputs = inference(inputs)
        return {**outputs, "logits": -outputs["logits"]}

    with pytest.raises(ParityError, match="logits of saved_model on real observations differs"):
        check(cartpole, {"saved_model": negated}, samples_of(cartpole))


def answers(
    logits: np.ndarray, value: float = 1.0, action: Any = None
) -> Callable[[Inputs], Outputs]:
    """A policy that says the same whatever it sees; observations are row numbers."""

    def run(inputs: Inputs) -> Outputs:
        observation = inputs["observation"]
        rows = logits[observation]
        actions = rows.argmax(axis=-1) if action is None else np.array(action)[observation]
        values = np.full(len(observation), value, np.float32)
        return {"action": actions.astype(np.int32), "logits": rows, "value": values}

    return run


def compare(
    reference: Runner, file: Runner, distribution: Distribution = TWO_ACTIONS
) -> parity.Parity:
    rows = {"observation": np.arange(2)}
    return parity.check(reference, {"onnx": file}, Samples(rows, rows), distribution)


def test_a_file_that_acts_otherwise_on_the_same_logits_is_refused() -> None:
    with pytest.raises(ParityError, match="act"):
        compare(answers(LOGITS), answers(LOGITS, action=[1, 1]))


@pytest.mark.parametrize("difference", [2e-5, -1.0, np.nan, np.inf])
def test_a_value_that_differs_is_refused(difference: float) -> None:
    with pytest.raises(ParityError, match="value of onnx on real observations differs"):
        compare(answers(LOGITS), answers(LOGITS, value=1.0 + difference))


def test_a_network_that_answers_nan_is_refused() -> None:
    with pytest.raises(ParityError):
        compare(answers(LOGITS * np.float32(np.nan)), answers(LOGITS * np.float32(np.nan)))


def test_between_actions_that_are_as_good_either_may_win() -> None:
    tied = np.array([[1.0, 1.0 + 1e-6], [5.0, -5.0]], np.float32)
    swapped = np.array([[1.0 + 1e-6, 1.0], [5.0, -5.0]], np.float32)
    measured = compare(answers(tied), answers(swapped))
    assert 0 < measured.max_difference["onnx"] <= 1e-5


def test_as_good_is_relative_to_the_size_of_the_logits() -> None:
    tied = np.array([[500.0, 500.002], [5.0, -5.0]], np.float32)
    swapped = np.array([[500.002, 500.0], [5.0, -5.0]], np.float32)
    assert compare(answers(tied), answers(swapped)).max_difference["onnx"] <= 1e-5


def test_the_server_takes_the_same_for_a_tie() -> None:
    """It may import nothing of the export, and must not refuse what passed here."""
    ours = (parity.CLEAR_GAP, 2 * parity.TOLERANCE, abs(FORBIDDEN))
    assert ours == (golden.CLEAR_GAP, golden.RELATIVE_GAP, golden.FORBIDDEN)


@pytest.mark.parametrize(
    ("distribution", "logits", "action", "other"),
    [
        (MultiCategorical((2, 2), (0, 0), (2,)), [3, -1, 1, 1 + 1e-6], [0, 1], [0, 0]),
        (Bernoulli((2,)), [3, 1e-6], [1, 1], [1, 0]),
    ],
)
def test_each_of_several_choices_is_compared_by_itself(
    distribution: Distribution, logits: list[float], action: list[int], other: list[int]
) -> None:
    """The second choice is tied, the first is not."""
    rows = np.array([logits, logits], np.float32)
    network = answers(rows, action=[action, action])
    compare(network, answers(rows, action=[other, other]), distribution)
    wrong = [1 - action[0], action[1]]
    with pytest.raises(ParityError, match="acts differently"):
        compare(network, answers(rows, action=[wrong, wrong]), distribution)


@pytest.mark.parametrize("difference", [0.0, 2e-5])
def test_numbers_as_actions_are_compared_as_numbers(difference: float) -> None:
    def numbers(inputs: Inputs, added: float = 0.0) -> Outputs:
        rows = inputs["observation"].astype(np.float32)[:, None]
        names = ("action", "mean", "log_std")
        return {**dict.fromkeys(names, rows), "action": rows + np.float32(added)}

    def compared() -> parity.Parity:
        return compare(numbers, lambda inputs: numbers(inputs, difference))

    if difference:
        with pytest.raises(ParityError, match="action of onnx on real observations differs"):
            compared()
    else:
        assert compared().max_difference["onnx"] == 0
