"""`POST /act` for every kind of policy: greedy actions, states, and the printed command."""

import json
import shutil
import socket
import subprocess

import numpy as np
import pytest

from serving.announcement import announcement

SECONDS = 60  # a bound against hanging, not a measurement


def rows_of(inputs, i):
    return {name: values[i] for name, values in inputs.items()}


def test_a_batch_gives_what_the_network_gives(served):
    inputs = served.small.random_inputs(7)
    expected, answer = served.small.run(inputs), served.act(inputs)
    action = np.array(answer["action"])
    assert action.shape == expected["action"].shape
    assert action.dtype.kind == expected["action"].dtype.kind
    np.testing.assert_allclose(action, expected["action"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(answer["value"], expected["value"], rtol=1e-4, atol=1e-5)
    assert ("state" in answer) == served.small.kind.is_recurrent
    if served.small.kind.is_recurrent:
        np.testing.assert_allclose(answer["state"], expected["state_out"], rtol=1e-5, atol=1e-6)


def test_one_row_gives_what_it_gives_in_a_batch(served):
    inputs = served.small.random_inputs(7)
    together, alone = served.act(inputs), served.act(rows_of(inputs, 3))
    np.testing.assert_allclose(alone["action"], together["action"][3], rtol=1e-6)
    np.testing.assert_allclose(alone["value"], together["value"][3], rtol=1e-5, atol=1e-6)
    batch_of_one = served.act({name: values[3:4] for name, values in inputs.items()})
    assert batch_of_one["action"] == [alone["action"]]


def longest(dtype):
    """The value that takes the most characters."""
    kind = np.dtype(dtype).kind
    if kind == "f":
        return -2.2250738585072014e-308
    return kind == "b" or (np.iinfo(dtype).min or np.iinfo(dtype).max)


def test_the_largest_batch_with_the_longest_numbers_fits(served):
    inputs = {
        name: np.full((1024, *shape), longest(dtype), dtype.replace("32", "64"))
        for name, (dtype, shape) in served.small.inputs.items()
    }
    assert len(served.act(inputs)["action"]) == 1024


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("python3"), reason="needs both")
@pytest.mark.process
def test_the_printed_command_works(served, listen):
    command = listen(served.policy).split(", try: ")[1]
    answer = subprocess.run(
        command, shell=True, capture_output=True, check=True, timeout=SECONDS
    ).stdout
    assert json.loads(answer)["model_name"] == served.small.name


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("started", """curl -s URL/act -d '{"observation": 0}'"""),
        (
            "masked",
            """curl -s URL/act -d '{"observation": [0, 0, 0, 0], """
            """"action_mask": [true, true, true, true]}'""",
        ),
        (
            "everything",
            """python3 -c 'import json; print(json.dumps({"observation": {"a": [[0]*4]*3, """
            """"b": [0]*2}, "action_mask": [True]*5}))' | curl -s URL/act -d @-""",
        ),
    ],
)
def test_the_printed_command_is_short_and_readable(served_named, name, command):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = announcement(served_named(name).policy, listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert line == f"serving {name} on {url}, try: {command.replace('URL', url)}"
