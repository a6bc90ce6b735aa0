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
from export import float64, formats, parity, rounding
from export.formats import Runner
from export.inference import Inference, Inputs, Outputs
from export.parity import ParityError
from export.rounding import Reference
from export.samples import Samples, collect_samples, count_of
from serving import golden

LOGITS = np.array([[3.0, -1.0], [-2.0, 2.0]], np.float32)
TWO_ACTIONS = Categorical(2)

Check = Callable[[dict[str, Runner]], parity.Parity]


def samples_of(exported: Any) -> Samples:
    agent = exported.source.agent
    return collect_samples(agent, Inference(agent), exported.source.config)


@pytest.fixture(scope="module")
def samples(exported: Any) -> Samples:
    return samples_of(exported)


@pytest.fixture(scope="module")
def check(exported: Any, samples: Samples) -> Check:
    """The gate for files of that agent."""
    inference = Inference(exported.source.agent)
    references = rounding.references(float64.trace(inference), samples)
    distribution = exported.source.agent.distribution
    return lambda files: parity.check(inference, files, samples, references, distribution)


def test_what_was_exported_passes(exported: Any, samples: Samples, check: Check) -> None:
    files = {
        "onnx": formats.run_onnx(exported.onnx),
        "saved_model": formats.run_saved_model(exported.folder / "saved_model"),
    }
    measured = check(files)
    assert measured.observations == sum(map(count_of, samples)) > 1000
    assert measured.max_difference.keys() == files.keys()
    assert max(measured.max_difference.values()) <= 1e-5
    assert measured.float32_steps.keys() == {"network", *files}
    assert 0 < max(measured.float32_steps.values()) < 20


def test_observations_are_of_the_space_and_not_all_the_same(
    exported: Any, samples: Samples
) -> None:
    space = exported.source.agent.spec.observation_space
    for rows in (inputs["observation"] for inputs in samples):
        assert rows.dtype == space.dtype
        assert all(space.contains(row) for row in rows)
        assert len(np.unique(rows.reshape(len(rows), -1), axis=0)) > 100


def test_every_batch_size_is_run(exported: Any, check: Check) -> None:
    sizes = set()
    run = formats.run_onnx(exported.onnx)

    def noting(inputs: Inputs) -> Outputs:
        sizes.add(count_of(inputs))
        return run(inputs)

    check({"onnx": noting})
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
    exported: Any, check: Check, tmp_path: Path
) -> None:
    names = float_initializers(exported.onnx)
    assert len(names) >= 4
    for name in names:
        runner = perturbed(exported.onnx, name, tmp_path / "changed.onnx")
        with pytest.raises(ParityError, match="differs from the network's in float64 by"):
            check({"onnx": runner})


def test_weights_of_another_agent_are_refused(cartpole: Any) -> None:
    inference = Inference(cartpole.source.agent)

    def negated(inputs: Inputs) -> Outputs:
        outputs = inference(inputs)
        return {**outputs, "logits": -outputs["logits"]}

    samples = samples_of(cartpole)
    references = rounding.references(float64.trace(inference), samples)
    with pytest.raises(ParityError, match="logits of saved_model on real observations differs"):
        parity.check(inference, {"saved_model": negated}, samples, references, TWO_ACTIONS)


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


def reference_of(outputs: Outputs, sums: float) -> Reference:
    """Exact answers that are those of the network, from sums of that size."""
    exact = {name: x.astype(np.float64) for name, x in outputs.items() if x.dtype == np.float32}
    step = {name: rounding.STEP * np.maximum(sums, np.abs(x)) for name, x in exact.items()}
    return Reference(exact, step)


def compare(
    network: Runner, file: Runner, distribution: Distribution = TWO_ACTIONS, sums: float = 1.0
) -> parity.Parity:
    rows = {"observation": np.arange(2)}
    references = [reference_of(network(rows), sums)] * 2
    return parity.check(network, {"onnx": file}, Samples(rows, rows), references, distribution)


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
    tied = np.array([[1.0, 1.0 + 2e-7], [5.0, -5.0]], np.float32)
    swapped = np.array([[1.0 + 2e-7, 1.0], [5.0, -5.0]], np.float32)
    measured = compare(answers(tied), answers(swapped))
    assert 0 < measured.max_difference["onnx"] <= 1e-5


def test_as_good_is_relative_to_the_size_of_the_logits() -> None:
    logits = np.array([[500.0, 500.002], [5.0, -5.0]], np.float32)
    compare(answers(logits), answers(logits, action=[0, 0]))
    with pytest.raises(ParityError, match="acts differently"):
        compare(answers(logits / 100), answers(logits / 100, action=[1, 1]))


def test_as_good_is_as_far_as_the_sums_inside_may_be_off() -> None:
    logits = np.array([[3.0, 2.998], [5.0, -5.0]], np.float32)
    network, file = answers(logits), answers(logits, action=[1, 0])
    with pytest.raises(ParityError, match="acts differently"):
        compare(network, file)
    assert compare(network, file, sums=4000.0).max_difference["onnx"] == 0


def test_a_difference_is_measured_in_what_the_sums_inside_may_be_off() -> None:
    network, file = answers(LOGITS), answers(LOGITS, value=1.0002)
    with pytest.raises(ParityError, match="value of onnx on real observations differs"):
        compare(network, file)
    measured = compare(network, file, sums=1000.0)
    assert 1 < measured.float32_steps["onnx"] < 2
    assert measured.allowed_steps == {"logits": parity.STEPS, "value": parity.STEPS}


def test_the_server_takes_the_same_for_a_tie() -> None:
    """It may import nothing of the export, and must not refuse what passed here."""
    ours = (parity.CLEAR_GAP, parity.RELATIVE_GAP, abs(FORBIDDEN))
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
