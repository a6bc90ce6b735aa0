"""The network in shards: the numbers, the gradients and the training of the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from support import ROOT
from support.networks import make

from a2c_tf import networks
from a2c_tf.acceleration import sharding
from a2c_tf.agent import make_agent, make_seeds
from a2c_tf.config import Config, NetworkConfig
from a2c_tf.envs import registry
from a2c_tf.evaluation import players
from a2c_tf.networks import forward
from a2c_tf.training import assembly
from a2c_tf.types import EnvSpec, StepOutput, Trajectory

SECONDS = 120  # a bound against hanging, not a measurement
STEPS, ENVS = 3, 8


def random(*shape: int) -> tf.Tensor:
    return tf.random.stateless_normal(shape, [1, len(shape)])


def trajectory_of(observation: Any, core_state: Any = (), kept: Any = ()) -> Trajectory:
    """`observation` has leading `[T+1, B]`; an episode ends in the middle of two environments."""
    last = np.zeros([STEPS, ENVS], np.bool_)
    last[1, 2] = last[0, 6] = True
    mask = np.ones([STEPS, ENVS], np.float32)
    mask[1:] = 1.0 - last[:-1]
    return Trajectory(
        observation=observation,
        action=tf.zeros([STEPS, ENVS], tf.int32),
        reward=random(STEPS, ENVS),
        discount=tf.ones([STEPS, ENVS]),
        mask=tf.constant(mask),
        last=tf.constant(last),
        core_state=core_state,
        kept=kept,
    )


def observations(space: gymnasium.Space) -> tf.Tensor:
    space.seed(0)
    rows = [space.sample() for _ in range((STEPS + 1) * ENVS)]
    return tf.reshape(tf.constant(np.stack(rows)), [STEPS + 1, ENVS, *space.shape])


def assert_close(actual: Any, expected: Any) -> None:
    for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("num_envs", "cores", "shards_"),
    [(128, 8, 8), (100, 8, 5), (32, 4, 2), (31, 4, 1), (16, 2, 1), (128, 1, 1)],
)
def test_as_many_shards_as_there_are_cores_and_environments_for(
    num_envs, cores, shards_, monkeypatch
):
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: 1)
    monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: cores)
    assert sharding.count(num_envs) == shards_


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_split_is_joined_again(count, axis):
    tree = {"seen": random(8, 8, 3), "none": (), "chosen": tf.reshape(tf.range(64), [8, 8])}
    parts = sharding.split(tree, count, axis)
    assert [part["seen"].shape[axis] for part in parts] == [8 // count] * count
    joined = sharding.join(parts, axis)
    assert joined["none"] == ()
    for name in ("seen", "chosen"):
        np.testing.assert_array_equal(joined[name], tree[name])
    first = tree["chosen"][: 8 // count] if axis == 0 else tree["chosen"][:, : 8 // count]
    np.testing.assert_array_equal(parts[0]["chosen"], first)


@pytest.mark.parametrize("count", [2, 4])
def test_acting_in_shards_says_what_the_whole_says(count, variant):
    model, _ = make("minatar")
    observation = observations(gymnasium.spaces.Box(0, 1, (10, 10, 4), np.bool_))[0]

    def act(observation: tf.Tensor) -> StepOutput:
        return forward.keeping_step(model, observation, ())

    expected = act(observation)
    in_shards = sharding.acting(lambda seen, _: act(seen), count)
    actual = variant(lambda seen: in_shards(seen, ()))(observation)
    assert_close((actual.parameters, actual.value), (expected.parameters, expected.value))
    assert len(actual.kept) == count
    assert_close(sharding.join(actual.kept, axis=0), expected.kept)


def test_one_shard_is_the_policy_itself():
    assert sharding.acting(forward.step, 1) is forward.step


@pytest.mark.parametrize("keeps", [False, True])
def test_the_gradient_is_that_of_the_whole(keeps, variant):
    model, _ = make("minatar")
    observation = observations(gymnasium.spaces.Box(0, 1, (10, 10, 4), np.bool_))
    policy = forward.keeping_step if keeps else forward.step

    def gradients(count: int) -> Any:
        act = sharding.acting(lambda seen, core: policy(model, seen, core), count)
        kept = [act(observation[t], ()).kept for t in range(STEPS)]
        kept = tf.nest.map_structure(lambda *x: tf.stack(x), *kept) if keeps else ()
        with tf.GradientTape() as tape:
            trajectory = trajectory_of(observation, kept=kept)
            output = forward.over_trajectory(model, trajectory, count)
            score = tf.reduce_sum(tf.square(output.parameters) + tf.sin(output.value)[..., None])
        return output, tape.gradient(score, model.trainable_variables)

    expected, slopes = gradients(1)
    actual, actual_slopes = variant(lambda: gradients(4))()
    assert_close(actual, expected)
    for a, e in zip(actual_slopes, slopes, strict=True):
        assert np.abs(e).max() > 0
        np.testing.assert_allclose(a, e, rtol=1e-4, atol=1e-5 * np.abs(e).max())


@pytest.mark.parametrize("core", ["lstm", "gru"])
def test_a_policy_that_remembers_does_so_in_each_shard(core):
    space = gymnasium.spaces.Dict(
        {
            "near": gymnasium.spaces.Box(-1, 1, (3,), np.float32),
            "far": gymnasium.spaces.Box(-1, 1, (2,), np.float32),
        }
    )
    spec = EnvSpec("Seen-v0", "graph", ENVS, space, gymnasium.spaces.Discrete(3))
    model = networks.make_actor_critic(
        spec, NetworkConfig(torso="mlp", hidden=(8,), core=core, core_size=4), seed=0
    )
    seen = {name: observations(part) for name, part in space.spaces.items()}
    core_state = random(ENVS, model.output["core_state"].shape[-1])
    trajectory = trajectory_of(seen, core_state)
    expected = forward.over_trajectory(model, trajectory)
    assert_close(forward.over_trajectory(model, trajectory, 2), expected)
    met = tf.nest.map_structure(lambda x: x[0], seen)
    act = sharding.acting(lambda *step: forward.step(model, *step), 2)
    assert_close(act(met, core_state)[:3], forward.step(model, met, core_state)[:3])


TREES = {
    "kept, convolutional": {"env": {"id": "MinAtar/Breakout-v1", "num_envs": 8}},
    "one program": {
        "env": {"id": "CartPole-v1", "num_envs": 8},
        "network": {"torso": "mlp", "hidden": [16], "normalize_observation": True},
        "a2c": {"unroll_length": 2, "scale_reward": True, "normalize_advantage": True},
        "run": {"inspect_every": 2},
    },
}


@pytest.mark.parametrize(("name", "parts"), [("kept, convolutional", 2), ("one program", 4)])
def test_training_in_shards_is_training(name, parts, monkeypatch):
    """The same actions, the same episodes, and weights that differ by rounding alone."""

    def train(count: int) -> tuple[list[np.ndarray], Any, Any]:
        monkeypatch.setattr(sharding, "count", lambda *_: count)
        config = Config.model_validate(TREES[name])
        env = registry.make(config.env)
        agent = make_agent(env.spec, config)
        _, step = assembly.make_training(env, agent, config)
        variables = agent.model.trainable_variables
        before = [w.numpy().copy() for w in variables]
        state, report = step(agent.start(env, make_seeds(0)), tf.constant(4))
        moved = [w.numpy() - b for w, b in zip(variables, before, strict=True)]
        return moved, state, report

    (expected, state, report), (moved, parted, parted_report) = train(1), train(parts)
    again = train(parts)
    for a, e in zip(moved, expected, strict=True):
        assert np.abs(e).max() > 1e-6
        np.testing.assert_allclose(a, e, atol=2e-3 * np.abs(e).max())
    for a, e in zip(tf.nest.flatten(parted), tf.nest.flatten(state), strict=True):
        np.testing.assert_array_equal(a, e)  # of actions, too: environments and seeds
    for a, e in zip(tf.nest.flatten(parted_report), tf.nest.flatten(report), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-3, atol=1e-4)
    for a, b in zip(moved, again[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("core", ["none", "gru"])
def test_an_evaluation_in_shards_is_that_evaluation(core, monkeypatch):
    tree = {"env": {"id": "MinAtar/Breakout-v1"}, "network": {"core": core, "core_size": 8}}
    config = Config.model_validate(tree)
    agent = make_agent(registry.make(config.env).spec, config)

    def play(count: int) -> Any:
        monkeypatch.setattr(sharding, "count", lambda *_: count)
        return players.Player(agent, config, 8, deterministic=False).play(0)

    whole, parted = play(1), play(4)
    assert whole.lengths.std() > 0
    np.testing.assert_array_equal(parted.returns, whole.returns)
    np.testing.assert_array_equal(parted.lengths, whole.lengths)


@pytest.mark.parametrize(
    ("num_envs", "cores", "expected"),
    [(32, 2, True), (31, 2, False), (30, 2, False), (64, 4, True), (64, 1, False), (96, 3, True)],
)
def test_each_core_gets_as_many_environments_as_the_others_and_enough(num_envs, cores, expected):
    assert sharding.is_worthwhile(num_envs, cores, sharding.SMALLEST) == expected


CHOICE = """
import json, os, sys
os.sched_getaffinity = lambda _: {0, 1}
import tensorflow as tf
from a2c_tf.acceleration import sharding
from a2c_tf.config import Config
from a2c_tf.training import assembly
tree, computed = json.loads(sys.argv[1])
if computed:
    tf.constant(1)
assembly.choose_threads(Config.model_validate(tree))
threading = tf.config.threading
print(json.dumps([
    threading.get_intra_op_parallelism_threads(),
    threading.get_inter_op_parallelism_threads(),
    sharding.count(32, False),
    sharding.count(256, True),
]))
"""
GAME = {"env": {"id": "MinAtar/Breakout-v1", "num_envs": 32}}
CARTPOLE, MLP = {"id": "CartPole-v1"}, {"torso": "mlp"}


@pytest.mark.parametrize(
    ("tree", "chosen"),
    [
        (GAME, "shards"),
        ({**GAME, "run": {"compile": "xla"}}, None),
        ({**GAME, "network": MLP}, None),
        ({"env": {"id": "ALE/Pong-v5"}, "network": {"torso": "nature"}}, None),
        ({"env": CARTPOLE, "network": MLP}, "one thread"),
        ({"env": {**CARTPOLE, "num_envs": 128}, "network": MLP}, None),
        ({"env": {**CARTPOLE, "backend": "gymnasium"}, "network": MLP}, None),
        ({"env": CARTPOLE, "network": {**MLP, "hidden": [64, 256]}}, None),
        ({"env": CARTPOLE, "network": {**MLP, "core": "gru"}}, None),
    ],
)
def test_threads_go_by_what_is_computed(tree, chosen, monkeypatch):
    calls = []
    monkeypatch.setattr(sharding, "give_each_a_core", lambda _: calls.append("shards"))
    monkeypatch.setattr(sharding, "use_one_thread", lambda: calls.append("one thread"))
    assembly.choose_threads(Config.model_validate(tree))
    assert calls == ([chosen] if chosen else [])


@pytest.mark.parametrize(
    ("tree", "computed", "expected"),
    [
        (GAME, False, [1, 2, 2, 2]),
        (GAME, True, [0, 0, 1, 2]),
        ({"env": {**GAME["env"], "num_envs": 16}}, False, [0, 0, 1, 2]),
        ({"env": CARTPOLE, "network": MLP}, False, [1, 0, 1, 2]),
        ({"env": CARTPOLE, "network": MLP}, True, [0, 0, 1, 2]),
    ],
)
def test_threads_are_chosen_before_tensorflow_computes(tree, computed, expected):
    done = subprocess.run(
        [sys.executable, "-c", CHOICE, json.dumps([tree, computed])],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert json.loads(done.stdout) == expected
