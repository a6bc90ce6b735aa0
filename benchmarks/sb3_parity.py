"""`python -m benchmarks.sb3_parity`: ten updates of ours and of Stable-Baselines3's A2C, compared.

Both start from the same weights and get the same observations, actions, rewards, terminations and
truncations: ours as a NEXT_STEP stream with its masked rows, Stable-Baselines3 as it collects them,
with the value of a truncated episode's last observation added to the reward. Needs PyTorch:
`make peers` makes an environment for it.
"""

from __future__ import annotations

import collections
import sys
from typing import Any, NamedTuple

from a2c_tf import cli

cli.import_tensorflow()

import gymnasium
import numpy as np
import tensorflow as tf
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv

from a2c_tf.agent import Agent, make_agent
from a2c_tf.config import Config
from a2c_tf.learner import Learner
from a2c_tf.optimizers import make_optimizer
from a2c_tf.training.hyperparameters import make_learner_config
from a2c_tf.types import EnvSpec, Trajectory

UPDATES, ENVS, STEPS, TOLERANCE = 10, 6, 20, 1e-5
OBSERVATIONS, ACTIONS, WIDTH = 4, 3, 64

CONFIG = Config.model_validate(
    {
        "network": {"torso": "mlp", "hidden": [WIDTH, WIDTH], "activation": "tanh"},
        "a2c": {"gae_lambda": 0.9, "entropy_coef": 0.01},
        "optimizer": {"learning_rate": 7e-3, "schedule": {"shape": "constant"}},
    }
)
SPACE = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATIONS,), np.float32)


class Batch(NamedTuple):
    """The transitions of one update; row t of the episodes, without rows of autoresets."""

    observation: np.ndarray  # [T, B, 4]
    next_observation: np.ndarray  # [T, B, 4], at an episode's end its true last one
    action: np.ndarray  # [T, B]
    reward: np.ndarray  # [T, B]
    ends: np.ndarray  # [T] bool: there an episode ends in every environment, so that rows align
    terminated: np.ndarray  # [T, B] bool: as a termination, else as a truncation


def make_batch(rng: np.random.Generator) -> Batch:
    ends = rng.random(STEPS) < 0.25
    observation = rng.normal(size=(STEPS + 1, ENVS, OBSERVATIONS)).astype(np.float32)
    last = rng.normal(size=(STEPS, ENVS, OBSERVATIONS)).astype(np.float32)
    return Batch(
        observation=observation[:-1],
        next_observation=np.where(ends[:, None, None], last, observation[1:]),
        action=rng.integers(0, ACTIONS, (STEPS, ENVS)),
        reward=rng.normal(size=(STEPS, ENVS)).astype(np.float32),
        ends=ends,
        terminated=ends[:, None] & (rng.random((STEPS, ENVS)) < 0.5),
    )


def as_stream(batch: Batch) -> Trajectory:
    """Returns the batch as the environment contract has it: a masked row after each end."""
    rows: dict[str, list[Any]] = collections.defaultdict(list)

    def add(observation: np.ndarray, t: int, masked: bool) -> None:
        rows["observation"].append(observation)
        rows["action"].append(batch.action[t])
        rows["reward"].append(batch.reward[t] * (not masked))
        rows["discount"].append(1.0 - batch.terminated[t] * (not masked))
        rows["mask"].append(np.full(ENVS, 1.0 - masked))
        rows["last"].append(np.full(ENVS, batch.ends[t] and not masked))

    for t in range(STEPS):
        add(batch.observation[t], t, masked=False)
        if batch.ends[t]:
            add(batch.next_observation[t], t, masked=True)
    rows["observation"].append(batch.next_observation[-1])
    dtypes = {"action": tf.int32, "last": tf.bool}
    return Trajectory(
        **{name: tf.constant(np.stack(x), dtypes.get(name, tf.float32)) for name, x in rows.items()}
    )


class Torso(BaseFeaturesExtractor):
    """Our MLP, which policy and value share."""

    def __init__(self, space: gymnasium.Space) -> None:
        super().__init__(space, WIDTH)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(OBSERVATIONS, WIDTH),
            torch.nn.Tanh(),
            torch.nn.Linear(WIDTH, WIDTH),
            torch.nn.Tanh(),
        )

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        return self.layers(observation)


class SpacesOnly(gymnasium.Env):
    """An environment that only has spaces, since Stable-Baselines3 wants one."""

    observation_space = SPACE
    action_space = gymnasium.spaces.Discrete(ACTIONS)


def make_theirs() -> A2C:
    a2c, optimizer = CONFIG.a2c, CONFIG.optimizer
    model = A2C(
        "MlpPolicy",
        DummyVecEnv([SpacesOnly] * ENVS),
        learning_rate=optimizer.learning_rate,
        n_steps=STEPS,
        gamma=a2c.gamma,
        gae_lambda=a2c.gae_lambda,
        ent_coef=a2c.entropy_coef,
        vf_coef=a2c.value_coef,
        max_grad_norm=a2c.max_grad_norm,
        use_rms_prop=False,
        device="cpu",
        policy_kwargs={
            "net_arch": [],
            "features_extractor_class": Torso,
            "optimizer_class": RMSpropTFLike,
            "optimizer_kwargs": {"alpha": optimizer.rho, "eps": optimizer.epsilon},
        },
    )
    model.set_logger(Logger(None, []))
    return model


def make_ours() -> tuple[Agent, Learner]:
    spec = EnvSpec("Parity-v0", "graph", ENVS, SPACE, SpacesOnly.action_space)
    agent = make_agent(spec, CONFIG)
    learner = Learner(
        agent.model,
        make_optimizer(CONFIG.optimizer),
        agent.distribution,
        make_learner_config(CONFIG),
    )
    return agent, learner


def their_parameters(model: A2C) -> dict[str, torch.nn.Parameter]:
    """Returns their parameters by the names of our weights."""
    policy, torso = model.policy, model.policy.features_extractor.layers
    layers = {
        "torso_dense_0": torso[0],
        "torso_dense_1": torso[2],
        "policy": policy.action_net,
        "value_head": policy.value_net,
    }
    kernels = {f"{name}/kernel": layer.weight for name, layer in layers.items()}
    return kernels | {f"{name}/bias": layer.bias for name, layer in layers.items()}


def their_update(model: A2C, batch: Batch) -> dict[str, float]:
    """Fills their buffer as `collect_rollouts` does, and trains."""
    policy, buffer = model.policy, model.rollout_buffer
    buffer.reset()
    starts = np.ones(ENVS)
    with torch.no_grad():
        for t in range(STEPS):
            observation, action = map(torch.as_tensor, (batch.observation[t], batch.action[t]))
            values, log_probs, _ = policy.evaluate_actions(observation, action)
            last_values = policy.predict_values(torch.as_tensor(batch.next_observation[t]))
            truncated = batch.ends[t] & ~batch.terminated[t]
            bootstrap = model.gamma * last_values.numpy()[:, 0] * truncated
            buffer.add(
                batch.observation[t],
                batch.action[t][:, None],
                batch.reward[t] + bootstrap,
                starts,
                values,
                log_probs,
            )
            starts = np.full(ENVS, float(batch.ends[t]))
    buffer.compute_returns_and_advantage(last_values, starts)
    model.train()
    logged = model.logger.name_to_value
    return {
        "loss/policy": logged["train/policy_loss"],
        "loss/value": logged["train/value_loss"],
        "policy/entropy": -logged["train/entropy_loss"],
    }


def main() -> int:
    rng, theirs, (agent, learner) = np.random.default_rng(0), make_theirs(), make_ours()
    parameters, worst = their_parameters(theirs), 0.0
    start = agent.model.get_weights()
    for weight in agent.model.weights:
        parameters[weight.path].data = torch.as_tensor(weight.numpy().T.copy())
    print("update  " + "  ".join(f"{name:>26s}" for name in ("policy loss", "value loss")), end="")
    print(f"  {'entropy':>26s}  largest difference of a weight")
    for update in range(1, UPDATES + 1):
        batch = make_batch(rng)
        logged, metrics = their_update(theirs, batch), learner.update(as_stream(batch))
        pairs = [(float(metrics[name]), logged[name]) for name in logged]
        difference = max(
            float(np.abs(weight.numpy().T - parameters[weight.path].detach().numpy()).max())
            for weight in agent.model.weights
        )
        worst = max(worst, difference, *(abs(ours - other) for ours, other in pairs))
        cells = "  ".join(f"{ours:12.7f} {other:12.7f} " for ours, other in pairs)
        print(f"{update:6d}  {cells}  {difference:.1e}")
    moved = max(
        float(np.abs(after - before).max())
        for after, before in zip(agent.model.get_weights(), start, strict=True)
    )
    print(f"ours and theirs side by side; weights moved by {moved:.1e} at most")
    print(f"largest difference of losses and weights: {worst:.1e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
