"""A2C of Stable-Baselines3 in PyTorch, on the same networks and batches.

Its games are gymnasium's CartPole, MinAtar's own, and ALE's Pong in Stable-Baselines3's wrappers,
all in one process, where they are faster than in several on two cores. The next episode starts in
the step that ends it. The optimizer is PyTorch's RMSprop, faster than the copy of TensorFlow's.

Started by `benchmarks.throughput` in an environment that `make peers` makes.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import platform
import sys
from typing import Any

import ale_py
import gymnasium
import minatar.gym
import numpy as np
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import obs_as_tensor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecFrameStack

from benchmarks.workers import protocol
from benchmarks.workloads import ACTING, STEPPING, TRAINING, Workload

THREADS = os.cpu_count() or 1
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


class Mlp(BaseFeaturesExtractor):
    """Dense layers that policy and value share."""

    def __init__(self, space: gymnasium.spaces.Box, hidden: tuple[int, ...], activation: str):
        super().__init__(space, hidden[-1])
        self.layers = torch.nn.Sequential(*_dense(space.shape[0], hidden, activation))

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        return self.layers(observation)


class MinAtarTorso(BaseFeaturesExtractor):
    """16 filters of 3x3 and dense layers, that policy and value share."""

    def __init__(self, space: gymnasium.spaces.Box, hidden: tuple[int, ...], activation: str):
        super().__init__(space, hidden[-1])
        height, width, channels = space.shape
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(channels, 16, 3),
            ACTIVATIONS[activation](),
            torch.nn.Flatten(),
            *_dense(16 * (height - 2) * (width - 2), hidden, activation),
        )

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        return self.layers(observation.permute(0, 3, 1, 2))


def _dense(size: int, hidden: tuple[int, ...], activation: str) -> list[torch.nn.Module]:
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise((size, *hidden)):
        layers += [torch.nn.Linear(before, after), ACTIVATIONS[activation]()]
    return layers


def make_environments(workload: Workload) -> VecEnv:
    if workload.torso == "nature":
        settings = {"frameskip": 1, "repeat_action_probability": 0.0}  # wrappers skip frames
        atari = make_atari_env(
            workload.env_id, workload.num_envs, env_kwargs=settings, vec_env_cls=DummyVecEnv
        )
        return VecFrameStack(atari, 4)
    return DummyVecEnv([lambda: gymnasium.make(workload.env_id)] * workload.num_envs)


def make_model(workload: Workload, envs: VecEnv) -> A2C:
    model = A2C(
        "MlpPolicy" if workload.torso != "nature" else "CnnPolicy",  # which has NatureCNN of 512
        envs,
        n_steps=workload.unroll_length,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [], **_torso(workload)},
        device="cpu",
    )
    model.set_logger(Logger(None, []))
    return model


def _torso(workload: Workload) -> dict[str, Any]:
    if workload.torso == "nature":
        return {"features_extractor_kwargs": {"features_dim": workload.hidden[0]}}
    settings = {"hidden": workload.hidden, "activation": workload.activation}
    torso = MinAtarTorso if workload.torso == "minatar" else Mlp
    return {"features_extractor_class": torso, "features_extractor_kwargs": settings}


def build(workload: Workload) -> protocol.Built:
    gymnasium.register_envs(ale_py)
    minatar.gym.register_envs()
    torch.set_num_threads(THREADS)
    makers = {
        STEPPING: lambda: _stepping(make_environments(workload)),
        ACTING: lambda: _acting(make_model(workload, make_environments(workload))),
        TRAINING: lambda: _training(make_model(workload, make_environments(workload))),
    }
    names = ("stable-baselines3", "torch", "gymnasium", "ale-py")
    versions = {name: importlib.metadata.version(name) for name in names}
    versions["python"] = platform.python_version()
    return protocol.Built(makers, {"versions": versions, "threads": f"{THREADS} of PyTorch"})


def _stepping(envs: VecEnv) -> protocol.Run:
    rng, actions = np.random.default_rng(0), envs.action_space.n
    envs.reset()

    def run(size: int) -> int:
        for _ in range(size):
            envs.step(rng.integers(0, actions, envs.num_envs))
        return size * envs.num_envs

    return run


def _acting(model: A2C) -> protocol.Run:
    """As `collect_rollouts` acts, without the buffer."""
    envs, policy = model.env, model.policy
    observation = envs.reset()

    def run(size: int) -> int:
        nonlocal observation
        policy.set_training_mode(False)
        with torch.no_grad():
            for _ in range(size):
                actions, _, _ = policy(obs_as_tensor(observation, model.device))
                observation, _, _, _ = envs.step(actions.numpy())
        return size * envs.num_envs

    return run


def _training(model: A2C) -> protocol.Run:
    def run(size: int) -> int:
        before = model.num_timesteps
        steps = size * model.n_steps * model.env.num_envs
        model.learn(steps, reset_num_timesteps=False)
        return model.num_timesteps - before

    return run


if __name__ == "__main__":
    sys.exit(protocol.serve(build))
