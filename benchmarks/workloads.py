"""The workloads: environments, networks and batches, the same for every library."""

from __future__ import annotations

from typing import NamedTuple

STEPPING, ACTING, TRAINING = "stepping", "acting", "training"
KINDS = (STEPPING, ACTING, TRAINING)
"""Environments with random actions; with sampled actions of the network; with updates as well."""

FLOAT32, BFLOAT16 = "float32 matrix product", "bfloat16 matrix product"
"""Limits of the machine: operations a second."""


class Workload(NamedTuple):
    """A task, a network and a batch; crosses to the workers as JSON."""

    name: str
    env_id: str
    """gymnasium's."""
    num_envs: int
    """B."""
    backend: str = "auto"
    """`env.backend` of ours."""
    torso: str = "mlp"
    """`network.torso` of ours: mlp, minatar or nature."""
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    unroll_length: int = 5
    """T."""
    compile: str = "auto"
    """`run.compile` of ours."""
    precision: str = "float32"
    """`network.precision` of ours."""
    has_game: bool = True
    """False: the same observations, again and again, stand in its place (ours)."""
    convolution: str = "patches"
    """of JAX: a product of patches, or lax, its own convolution as flax has it."""
    frames_per_step: int = 1
    """frames that the emulator draws in a step."""

    @property
    def is_atari(self) -> bool:
        return self.env_id.startswith("ALE/")

    @property
    def is_convolutional(self) -> bool:
        return self.torso != "mlp"

    @property
    def gymnax_id(self) -> str | None:
        """gymnax's name for the game, if it has it."""
        if self.is_atari:
            return None
        game = self.env_id.removeprefix("MinAtar/").removesuffix("-v1")
        return f"{game}-MinAtar" if game != self.env_id.removesuffix("-v1") else self.env_id

    def full_name(self) -> str:
        return f"{self.name}, B={self.num_envs}"


def cartpole(num_envs: int) -> Workload:
    """Returns CartPole with B environments."""
    return Workload("CartPole", "CartPole-v1", num_envs)


def minatar(game: str, num_envs: int) -> Workload:
    """Returns a game as MinAtar's v1 has it: only its own actions, sticky with probability 0.1."""
    return Workload(game, f"MinAtar/{game}-v1", num_envs, "auto", "minatar", (128,), "relu")


GAMES = ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")

PONG = Workload("Pong", "ALE/Pong-v5", 16, "ale", "nature", (512,), "relu", frames_per_step=4)

WORKLOADS = (
    cartpole(32),
    cartpole(256),
    *(minatar(game, 128) for game in GAMES),
    PONG,
)
