"""PolicyClient with every kind of policy, over a socket."""

import numpy as np
import pytest

from serving.client import PolicyClient, PolicyServerError


@pytest.fixture
def connect(listen, served_named):
    """A client of a kind, and its policy in NumPy."""
    clients = []

    def connect(name):
        served = served_named(name)
        client = PolicyClient(listen(served.policy).split(" on ")[1].split(",")[0])
        clients.append(client)
        return client, served.small

    yield connect
    for client in clients:
        client.close()


def observation_of(inputs):
    if "observation" in inputs:
        return inputs["observation"]
    return {
        name.removeprefix("observation_"): values
        for name, values in inputs.items()
        if name.startswith("observation_")
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("started", "i"),
        ("multi_categorical", "i"),
        ("bernoulli", "i"),
        ("gaussian", "f"),
        ("tanh_gaussian", "f"),
        ("dict", "i"),
        ("masked", "i"),
        ("masked_bernoulli", "i"),
    ],
)
def test_actions_are_arrays_of_the_right_kind(connect, name, kind):
    client, small = connect(name)
    inputs = small.random_inputs(5)
    mask = inputs.get("action_mask")
    expected = small.run(inputs)["action"]
    actions = client.act(observation_of(inputs), action_mask=mask)
    assert actions.dtype.kind == kind and actions.itemsize == 8
    np.testing.assert_allclose(actions, expected, rtol=1e-5, atol=1e-5)
    first = {name: values[0] for name, values in inputs.items()}
    action = client.act(observation_of(first), action_mask=first.get("action_mask"))
    assert action.shape == expected.shape[1:]
    np.testing.assert_allclose(action, actions[0], rtol=1e-6)
    sampled = [
        client.act(observation_of(inputs), False, seed=1, action_mask=mask) for _ in range(2)
    ]
    np.testing.assert_array_equal(*sampled)


def test_masks_may_be_numbers_as_gymnasium_gives_them(connect):
    client, _ = connect("masked")
    observation = np.zeros(4, np.float32)
    assert client.act(observation, action_mask=np.array([0, 0, 0, 1], np.int8)) == 4
    with pytest.raises(PolicyServerError, match="action_mask: missing"):
        client.act(observation)


def stepped(small, batches, state):
    """Actions of NumPy alone, from state to state."""
    actions = []
    for inputs in batches:
        reset = np.zeros(len(state), bool)
        outputs = small.run(inputs | {"state_in": state, "reset": reset})
        state = outputs["state_out"]
        actions.append(outputs["action"])
    return np.array(actions)


@pytest.mark.parametrize("name", ["recurrent", "everything"])
def test_the_state_is_kept_until_reset(connect, name):
    client, small = connect(name)
    batches = [small.random_inputs(16, seed) for seed in range(4)]
    expected = stepped(small, batches, np.zeros((16, 3), np.float32))
    for _ in range(2):
        actions = [
            client.act(observation_of(inputs), action_mask=inputs.get("action_mask"))
            for inputs in batches
        ]
        np.testing.assert_array_equal(actions, expected)
        client.reset()


def test_one_row_is_an_episode_of_its_own(connect):
    client, small = connect("recurrent")
    batches = [small.random_inputs(1, seed) for seed in range(20, 40)]
    expected = stepped(small, batches, np.zeros((1, 3), np.float32))
    forgetful = [small.run(inputs | {"reset": np.array([True])})["action"] for inputs in batches]
    assert not np.array_equal(expected, forgetful)  # else it would not matter
    actions = [client.act(inputs["observation"][0]) for inputs in batches]
    np.testing.assert_array_equal(actions, expected[:, 0])


def test_another_batch_size_needs_a_reset(connect):
    client, small = connect("recurrent")
    two, three = (small.random_inputs(rows)["observation"] for rows in (2, 3))
    client.act(two)
    with pytest.raises(PolicyServerError, match="state: received 2 rows; expected 3, as many as"):
        client.act(three)
    with pytest.raises(PolicyServerError, match="state: received a batch; expected one"):
        client.act(two[0])
    client.act(two)  # goes on
    client.reset()
    assert client.act(three).shape == (3,)


def test_a_refused_question_leaves_the_state_alone(connect):
    client, small = connect("recurrent")
    batches = [small.random_inputs(8, seed) for seed in range(3)]
    expected = stepped(small, batches, np.zeros((8, 3), np.float32))
    actions = []
    for inputs in batches:
        with pytest.raises(PolicyServerError):
            client.act(np.zeros((8, 9), np.float32))
        actions.append(client.act(inputs["observation"]))
    np.testing.assert_array_equal(actions, expected)
