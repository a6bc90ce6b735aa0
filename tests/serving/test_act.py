"""`POST /act` and the sampling behind it."""

import asyncio
import threading

import httpx
import numpy as np
import pytest

from serving.app import make_app
from serving.sampling import Categorical, sample

OBSERVATION = [0.1, -0.2, 0.3, 0.4]
BATCH = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)


def act(client, observation, **options):
    response = client.post("/act", {"observation": observation, **options})
    assert response.status_code == 200, response.text
    return response.json()


def test_one_observation_gives_scalars(client, cartpole):
    answer = act(client, OBSERVATION)
    expected = cartpole.run({"observation": np.array([OBSERVATION], np.float32)})
    assert answer == {
        "action": int(expected["action"][0]),
        "value": pytest.approx(expected["value"][0], rel=1e-5),
        "model_name": "cartpole",
        "model_version": "1",
    }


def test_a_batch_gives_lists_as_its_rows_alone(client):
    together = act(client, BATCH.tolist())
    alone = [act(client, row) for row in BATCH.tolist()]
    assert together["action"] == [answer["action"] for answer in alone]
    np.testing.assert_allclose(together["value"], [answer["value"] for answer in alone], rtol=1e-5)


def test_a_batch_of_one_is_a_batch(client):
    assert act(client, [OBSERVATION])["action"] == [act(client, OBSERVATION)["action"]]


def test_integers_are_numbers(client):
    assert act(client, [1, 0, -1, 2]) == act(client, [1.0, 0.0, -1.0, 2.0])


def test_bool_observations_mix_true_false_0_and_1(bool_client, minatar):
    observation = np.arange(18).reshape(3, 3, 2) % 3 == 0
    mixed = [observation[0].astype(int).tolist(), *observation[1:].tolist()]
    expected = minatar.run({"observation": observation[np.newaxis]})
    assert act(bool_client, mixed)["action"] == expected["action"][0]


@pytest.mark.parametrize("seed", [0, 7, 2**63, 2**100])
def test_the_same_seed_gives_the_same_actions(client, seed):
    first, second = (act(client, BATCH.tolist(), deterministic=False, seed=seed) for _ in range(2))
    assert first == second


def test_seeds_differ(client):
    answers = [
        act(client, np.zeros((64, 4)).tolist(), deterministic=False, seed=seed)["action"]
        for seed in range(4)
    ]
    assert len({tuple(actions) for actions in answers}) == 4


def test_without_a_seed_samples_differ(client):
    equal_logits = np.zeros((256, 4)).tolist()
    first, second = (act(client, equal_logits, deterministic=False)["action"] for _ in range(2))
    assert first != second  # equal with probability 2**-256


def test_a_seed_leaves_the_greedy_action_alone(client):
    assert act(client, OBSERVATION, seed=3) == act(client, OBSERVATION, deterministic=True)


def test_sampled_frequencies_are_the_softmax(client, cartpole):
    observation = np.array([[0.3, 0.1, -0.2, 0.2]], np.float32)
    rows = np.repeat(observation, 1024, axis=0).tolist()
    actions = np.concatenate(
        [act(client, rows, deterministic=False, seed=seed)["action"] for seed in range(8)]
    )
    assert_chi_square(actions, cartpole.run({"observation": observation})["logits"][0])


@pytest.mark.parametrize(
    "logits", [[0.0, 0.0, 0.0], [1.0, -1.0, 0.5, 2.0], [100.0, 101.0], [-1000.0, -1001.0, -999.0]]
)
def test_gumbel_max_samples_the_softmax(logits):
    logits = np.array(logits, np.float32)
    actions = sample_categorical(np.tile(logits, (20_000, 1)), seed=5)
    assert_chi_square(actions, logits)


def test_an_action_with_probability_0_is_never_sampled():
    logits = np.tile(np.array([0.0, -1e30], np.float32), (5_000, 1))
    assert not sample_categorical(logits, seed=6).any()


def sample_categorical(logits, seed):
    outputs = {"action": logits.argmax(axis=-1), "logits": logits}
    return sample(Categorical(start=0), outputs, seed)


def assert_chi_square(actions, logits):
    """The statistic lies below the 99.9 % quantile of its distribution."""
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    expected = probabilities * len(actions)
    counts = np.bincount(actions, minlength=len(logits))
    quantile = {1: 10.83, 2: 13.82, 3: 16.27}[len(logits) - 1]
    assert np.sum((counts - expected) ** 2 / expected) < quantile


class HeldPolicy:
    """A policy that computes only once it is let go."""

    def __init__(self, policy):
        self._policy = policy
        self.name, self.version = policy.name, policy.version
        self.inputs, self.choices = policy.inputs, policy.choices
        self.is_running, self.may_finish = threading.Event(), threading.Event()

    def run(self, inputs):
        self.is_running.set()
        self.may_finish.wait()
        return self._policy.run(inputs)


def test_health_is_answered_while_a_batch_is_computed(cartpole_policy):
    policy = HeldPolicy(cartpole_policy)

    async def ask():
        transport = httpx.ASGITransport(make_app(policy))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            action = asyncio.create_task(client.post("/act", json={"observation": OBSERVATION}))
            while not policy.is_running.is_set():
                await asyncio.sleep(0)
            health = await client.get("/v2/health/live")
            policy.may_finish.set()
            return health, await action

    assert [response.status_code for response in asyncio.run(ask())] == [200, 200]
