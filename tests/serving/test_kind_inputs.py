"""`POST /act` with masks, states and keyed observations, right and wrong."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from support.asgi import AsgiClient

from serving.act import act
from serving.app import make_app
from serving.errors import InvalidInputError
from serving.policy import Policy
from serving.protocol import infer


def refusal(served, body):
    """The text of a 400, after which the policy still answers."""
    response = served.client.post("/act", body)
    assert response.status_code == 400, response.text
    assert list(response.json()) == ["error"]
    served.act(served.small.random_inputs(2))
    return response.json()["error"]


MASKED = {"observation": [0.1, -0.2, 0.3, 0.4]}
MASKED_BATCH = {"observation": [[0.1, -0.2, 0.3, 0.4]] * 2}


@pytest.mark.parametrize("name", ["masked", "masked_multi_categorical", "everything"])
def test_masked_choices_are_never_taken(served_named, name):
    served = served_named(name)
    inputs = served.small.random_inputs(1024)
    mask, start = inputs["action_mask"], served.small.start
    ends = np.cumsum(served.small.choices)
    for options in ({}, {"deterministic": False, "seed": 1}):
        actions = np.reshape(served.act(inputs, **options)["action"], (1024, -1))
        places = actions - start + ends - served.small.choices  # of each component in the mask
        assert np.take_along_axis(mask, places, axis=1).all()


def test_masked_bits_are_as_the_mask_says(served_named):
    served = served_named("masked_bernoulli")
    inputs = served.small.random_inputs(1024)
    pairs = inputs["action_mask"].reshape(1024, 2, 2)
    for options in ({}, {"deterministic": False, "seed": 1}):
        bits = np.array(served.act(inputs, **options)["action"])
        assert np.take_along_axis(pairs, bits[..., np.newaxis], axis=2).all()


def test_a_mask_of_0_and_1_is_one_of_false_and_true(served_named):
    served = served_named("masked")
    numbers, words = (
        served.act(MASKED | {"action_mask": mask})
        for mask in ([0, 1, 1, 0], [False, True, True, False])
    )
    assert numbers == words


@pytest.mark.parametrize(
    ("name", "body", "fragments"),
    [
        ("masked", MASKED, ["action_mask: missing; expected [4] for one", "[batch, 4]"]),
        ("masked", MASKED | {"action_mask": None}, ["action_mask: missing"]),
        ("masked", MASKED | {"action_mask": [True] * 3}, ["action_mask: received shape [3]"]),
        ("masked", MASKED | {"action_mask": [2, 0, 0, 0]}, ["action_mask: ", "2"]),
        ("masked", MASKED | {"action_mask": [1.0, 0, 0, 0]}, ["action_mask: ", "`float`"]),
        ("masked", MASKED | {"action_mask": "1111"}, ["action_mask: received values 0 lists"]),
        ("masked", MASKED | {"action_mask": [[True] * 4]}, ["received a batch; expected one"]),
        ("masked", MASKED_BATCH | {"action_mask": [True] * 4}, ["received one; expected a batch"]),
        (
            "masked",
            MASKED_BATCH | {"action_mask": [[True] * 4] * 3},
            ["action_mask: received 3 rows; expected 2, as many as observation"],
        ),
        (
            "masked",
            MASKED | {"action_mask": [False] * 4},
            ["action_mask: row 0 forbids all values 0 to 3"],
        ),
        (
            "masked",
            MASKED_BATCH | {"action_mask": [[True] * 4, [False] * 4]},
            ["row 1 forbids all"],
        ),
        (
            "masked_multi_categorical",
            MASKED | {"action_mask": [1, 1, 1, 0, 0]},
            ["row 0 forbids all values 3 to 4", "every component"],
        ),
        (
            "masked_bernoulli",
            MASKED | {"action_mask": [0, 0, 1, 1]},
            ["row 0 forbids all values 0 to 1"],
        ),
        ("gaussian", MASKED | {"action_mask": [True]}, ["action_mask: received, but this"]),
        (
            "gaussian",
            MASKED | {"state": [0.0] * 3},
            ["state: received, but this policy has no such input"],
        ),
        (
            "gaussian",
            MASKED | {"reset": True},
            ["reset: received, but this policy has no such input"],
        ),
    ],
)
def test_masks_that_are_none(served_named, name, body, fragments):
    text = refusal(served_named(name), body)
    assert all(fragment in text for fragment in fragments), text


RECURRENT = {"observation": [0.5, -0.5]}
RECURRENT_BATCH = {"observation": [[0.5, -0.5]] * 2}


@pytest.mark.parametrize("name", ["recurrent", "everything"])
def test_the_state_is_carried_from_answer_to_request(served_named, name):
    served = served_named(name)
    state = np.zeros((4, 3), np.float32)
    carried = {}
    for step in range(5):
        inputs = served.small.random_inputs(4, seed=step)
        reset = np.array([step == 3, False, step == 1, False])
        expected = served.small.run(inputs | {"state_in": state, "reset": reset})
        del inputs["state_in"], inputs["reset"]
        answer = served.act(inputs, **carried, reset=reset.tolist())
        np.testing.assert_allclose(answer["value"], expected["value"], rtol=1e-4, atol=1e-5)
        state, carried = expected["state_out"], {"state": answer["state"]}


def test_without_a_state_an_episode_starts(served_named):
    served = served_named("recurrent")
    later = served.act(RECURRENT)["state"]
    start = served.act({}, **RECURRENT)
    for beginning in (
        {"state": None, "reset": None},
        {"state": [0, 0, 0]},
        {"state": later, "reset": True},
        {"reset": True},
    ):
        assert served.act({}, **RECURRENT, **beginning) == start
    assert served.act({}, **RECURRENT, state=later) != start
    assert served.act({}, **RECURRENT, state=later, reset=False) != start


def test_a_single_state_is_a_list_and_that_of_a_batch_lists(served_named):
    served = served_named("recurrent")
    assert np.shape(served.act(RECURRENT)["state"]) == (3,)
    assert np.shape(served.act(RECURRENT_BATCH)["state"]) == (2, 3)


@pytest.mark.parametrize(
    ("body", "fragments"),
    [
        (RECURRENT | {"state": [0.0] * 4}, ["state: received shape [4]; expected [3] for one"]),
        (RECURRENT | {"state": 0}, ["state: received values 0 lists deep"]),
        (RECURRENT | {"state": {}}, ["state: received values 0 lists deep"]),
        (RECURRENT | {"state": ["0", 0, 0]}, ["state: ", "`str`"]),
        (RECURRENT | {"state": [1e300, 0, 0]}, ["state: ", "beyond float32"]),
        (RECURRENT | {"state": [[0.0] * 3]}, ["state: received a batch; expected one"]),
        (RECURRENT_BATCH | {"state": [0.0] * 3}, ["state: received one; expected a batch"]),
        (RECURRENT_BATCH | {"state": [[0.0] * 3]}, ["state: received 1 rows; expected 2"]),
        (RECURRENT_BATCH | {"state": [[0.0] * 3] * 2000}, ["state: received shape [2000, 3]"]),
        (RECURRENT | {"reset": "yes"}, ["reset: "]),
        (RECURRENT | {"reset": 2}, ["reset: ", "2"]),
        (RECURRENT | {"reset": [True]}, ["reset: received a batch; expected one"]),
        (RECURRENT_BATCH | {"reset": True}, ["reset: received one; expected a batch"]),
        (RECURRENT_BATCH | {"reset": [True] * 3}, ["reset: received 3 rows; expected 2"]),
        (
            RECURRENT | {"action_mask": [True]},
            ["action_mask: received, but this policy has no such input"],
        ),
        (RECURRENT | {"state_in": [0.0] * 3}, ["unknown field `state_in`"]),
    ],
)
def test_states_that_are_none(served_named, body, fragments):
    text = refusal(served_named("recurrent"), body)
    assert all(fragment in text for fragment in fragments), text


CAMERA = np.zeros((3, 3, 2), int).tolist()
KEYED = {"goal": 1, "it's": [0.5, -0.5], "camera": CAMERA}


def test_the_order_of_keys_does_not_matter(served_named):
    served = served_named("dict")
    answers = [
        served.act({}, observation=dict(items)) for items in (KEYED.items(), [*KEYED.items()][::-1])
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("observation", "fragments"),
    [
        ([1, 2], ["observation: Expected `object`, got `array`", "keys 'goal', \"it's\""]),
        (None, ["Expected `object`, got `null`"]),
        ({}, ["received no keys", "expected an object with keys 'goal'"]),
        ({"goal": 1, "camera": CAMERA}, ["received keys 'goal', 'camera'"]),
        (KEYED | {"more": 1}, ["received keys", "'more'"]),
        (KEYED | {"goal": 1.5}, ["observation.goal: ", "`float`"]),
        (KEYED | {"goal": None}, ["observation.goal: ", "`null`"]),
        (KEYED | {"it's": [0.5]}, ["observation.it's: received shape [1]"]),
        (KEYED | {"camera": [[[256, 0]] * 3] * 3}, ["observation.camera: ", "from 0 to 255"]),
        (KEYED | {"camera": [CAMERA]}, ["observation.camera: received a batch; expected one"]),
        (KEYED | {"goal": [1]}, ["observation.it's: received one; expected a batch"]),
        (
            {"goal": [1, 1], "it's": [[0.5, 0.5]] * 3, "camera": [CAMERA] * 2},
            ["observation.it's: received 3 rows; expected 2, as many as observation.goal"],
        ),
        ({str(i): 1 for i in range(500)}, ["received keys '0', '1'"]),
    ],
)
def test_keyed_observations_that_are_none(served_named, observation, fragments):
    text = refusal(served_named("dict"), {"observation": observation})
    assert all(fragment in text for fragment in fragments), text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("name", "observation", "fragment"),
    [
        ("started", 1.0, "`float`"),
        ("started", True, "`bool`"),
        ("started", {}, "`object`"),
        ("started", [[1]], "received values 2 lists deep; expected 0 for one"),
        ("started", [], "received shape [0]"),
        ("started", 2**63, "expected integers from -9223372036854775808"),
        ("multi_categorical", [1], "received shape [1]; expected [2] for one"),
        ("bernoulli", [[1, 0], [0, 128]], "expected integers from -128 to 127"),
        ("gaussian", {"x": [0, 0, 0, 0]}, "received values 0 lists deep"),
    ],
)
def test_observations_of_another_space(served_named, name, observation, fragment):
    assert fragment in refusal(served_named(name), {"observation": observation})


def test_an_index_that_the_graph_has_no_entry_for_is_refused():
    """As an embedding has none beyond its number of rows."""
    table = numpy_helper.from_array(np.eye(5, dtype=np.float32), "table")
    batch = ["batch"]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "observation"], ["logits"]),
            helper.make_node("ArgMax", ["logits"], ["action"], axis=1, keepdims=0),
            helper.make_node("ReduceMax", ["logits"], ["value"], axes=[1], keepdims=0),
        ],
        "policy",
        [helper.make_tensor_value_info("observation", TensorProto.INT64, batch)],
        [
            helper.make_tensor_value_info("action", TensorProto.INT64, batch),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*batch, 5]),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, batch),
        ],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    client = AsgiClient(make_app(Policy("embedding", model.SerializeToString())))
    assert client.post("/act", {"observation": [4, 2]}).json()["action"] == [4, 2]
    response = client.post("/act", {"observation": 7})
    assert response.status_code == 400
    assert "the policy refuses these values" in response.json()["error"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=6,
)
ROWS = {
    "observation_a": [[True] * 4] * 3,
    "observation_b": [0.5, -0.5],
    "action_mask": [True] * 5,
    "state_in": [0.5] * 3,
    "reset": False,
}
DATATYPES = ["BOOL", "FP64", "BOOL", "FP32", "BOOL"]


def act_like(rows):
    observation = {key: rows[f"observation_{key}"] for key in "ab"}
    return {
        "observation": observation,
        "action_mask": rows["action_mask"],
        "state": rows["state_in"],
        "reset": rows["reset"],
        "deterministic": False,
    }


def infer_like(rows):
    shapes = [[1, *np.shape(row)] for row in ROWS.values()]
    tensors = [
        {"name": name, "datatype": datatype, "shape": shape, "data": [rows[name]]}
        for name, datatype, shape in zip(ROWS, DATATYPES, shapes, strict=True)
    ]
    return {"inputs": tensors}


@pytest.mark.parametrize(("answer", "like"), [(act, act_like), (infer, infer_like)])
@given(changes=st.dictionaries(st.sampled_from([*ROWS]), JSON, max_size=2))
@example(changes={})
@settings(max_examples=150, deadline=None)
def test_no_value_fails_in_another_way(served_named, answer, like, changes):
    policy = served_named("everything").policy
    body = json.dumps(like(ROWS | changes)).encode()
    try:
        content = answer(policy, body)
    except InvalidInputError as error:
        assert changes and msgspec.json.encode(str(error))
    else:
        assert msgspec.json.decode(content)["model_name"] == "everything"
