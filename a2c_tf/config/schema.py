"""Every setting: its name, type, default and meaning, section by section."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import pydantic
from pydantic import BeforeValidator, ConfigDict, Field

MULTIPLES = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}


def _integral(value: Any) -> Any:
    """Converts what is a whole number to people: `1e6`, a float to YAML, and `500k`, a text."""
    if isinstance(value, str) and (short := re.fullmatch(r"([\d_]*\d(?:\.\d+)?)([kKmMbB])", value)):
        number = Decimal(short[1]) * MULTIPLES[short[2].lower()]
        return int(number) if number == int(number) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, BeforeValidator(_integral)]
Positive = Annotated[Count, Field(gt=0)]
NonNegative = Annotated[Count, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def _several(value: Any) -> Any:
    """Converts one value to a list of one, and `a,b` to a list of two."""
    if isinstance(value, str):
        return [int(part) if part.isdecimal() else part for part in value.split(",")]
    return [value] if isinstance(value, int | float) else value


Widths = Annotated[tuple[Positive, ...], Field(strict=False), BeforeValidator(_several)]


def _tuples(value: Any) -> Any:
    """Converts lists to tuples, since YAML has lists only."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


Trackers = Annotated[
    tuple[Literal["tensorboard", "wandb", "mlflow"], ...],
    Field(strict=False),
    BeforeValidator(_several),
]
Milestone = tuple[NonNegative, Annotated[float, Field(ge=0)]]
Milestones = Annotated[tuple[Milestone, ...], BeforeValidator(_tuples)]


NONE = ("None", "none")


def _may_be_null(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


class Section(pydantic.BaseModel):
    """A group of settings: strict in types, without unknown names, unchanged once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _read_none(cls, tree: Any) -> Any:
        """Takes Python's None for YAML's null where a setting may be null."""
        if not isinstance(tree, dict):
            return tree
        nullable = {n for n, field in cls.model_fields.items() if _may_be_null(field.annotation)}
        return {n: None if n in nullable and v in NONE else v for n, v in tree.items()}


class AtariConfig(Section):
    """How the emulator's frames become observations, as in Mnih et al. (2015); for `ALE/` ids."""

    noop_max: NonNegative = 30
    """a game starts with a random number of frames without action, from 1 up to this (backend ale:
    from 0)."""
    fire_reset: bool = True
    """FIRE is pressed at a game's start, where the game has it."""
    frame_skip: Positive = 4
    """frames that an action lasts."""
    max_pool: bool = True
    """an action's last two frames are seen as one, by their maximum; false: its last one (backends
    ale and gymnasium)."""
    screen_size: Positive = 84
    """height and width in pixels."""
    grayscale: bool = True
    """a frame is one plane of grey; false: red, green and blue, three planes of the stack."""
    frame_stack: Positive = 4
    """frames that an observation holds, black before the first."""
    terminal_on_life_loss: bool = True
    """losing a life ends the return that is learnt from, though not the game."""
    full_action_space: bool = False
    """all 18 actions; false: those that the game knows."""


class WrapperConfig(Section):
    """A wrapper around a gymnasium environment."""

    name: str
    """one of gymnasium.wrappers, or `my_module:MyWrapper`."""
    kwargs: dict[str, Any] = {}
    """further arguments of it."""


def _wrapper(value: Any) -> Any:
    """Converts a wrapper's name alone to the whole of it."""
    return {"name": value} if isinstance(value, str) else value


Wrapper = Annotated[WrapperConfig, BeforeValidator(_wrapper)]
Wrappers = Annotated[tuple[Wrapper, ...], Field(strict=False)]


class EnvConfig(Section):
    """Which environment is stepped, by which backend, and how many at once."""

    id: str = "MinAtar/Breakout-v1"
    """gymnasium's id; `my_module:MyEnv-v0` imports the module first."""
    kwargs: dict[str, Any] = {}
    """passed to gymnasium.make or to the factory, as {map_name: 8x8}."""
    wrappers: Wrappers = ()
    """around each environment, the innermost first: a name in gymnasium.wrappers,
    `my_module:MyWrapper`, or {name: FrameStackObservation, kwargs: {stack_size: 4}}."""
    factory: str | None = None
    """`my_module:make`, called with kwargs, returns a gymnasium environment; in place of an id."""
    backend: Literal["auto", "graph", "gymnasium", "ale", "envpool"] = "auto"
    """auto: the first of graph, ale, envpool and gymnasium that has the environment."""
    num_envs: Positive = 32
    """B, environments stepped together."""
    vectorization: Literal["sync", "async"] | None = None
    """gymnasium steps them in this process or in one each; null: the environment's own vector
    version, else sync."""
    num_threads: NonNegative = 0
    """of ale and envpool; 0: as many as there are cores, at most one an environment."""
    sticky_action_probability: Fraction | None = None
    """chance that the last action repeats; null: the environment's own (MinAtar 0.1, ALE 0.25)."""
    difficulty_ramping: bool | None = None
    """the game gets harder with time; null: the environment's own (MinAtar true)."""
    max_episode_steps: Positive | None = None
    """truncate episodes after this many steps; null: the environment's own limit (ALE 108,000
    frames)."""
    atari: AtariConfig = AtariConfig()

    @property
    def name(self) -> str:
        """Returns what the environment is called: the factory's path, else the id."""
        return self.factory or self.id


class NetworkConfig(Section):
    """Torso, core and heads of the network, or a user's own model."""

    torso: Literal["auto", "minatar", "nature", "impala", "mlp"] = "auto"
    """auto: nature for images of 36 pixels a side or more, minatar for smaller ones, else mlp;
    minatar: conv 16 3x3; nature: the three convolutions of DQN; impala: the residual network
    of IMPALA; mlp: no convolution; the dense layers come after them."""
    hidden: Widths = (128,)
    """widths of the dense layers of the torso."""
    activation: Literal["relu", "tanh", "silu"] = "relu"
    """of the hidden layers."""
    shared: bool = True
    """policy and value share the torso; false: each has one of its own."""
    core: Literal["none", "lstm", "gru"] = "none"
    """memory between torso and heads."""
    core_size: Positive = 128
    """units of the core."""
    normalize_observation: bool = False
    """floats are brought to mean 0 and variance 1 by running statistics inside the network."""
    squash_actions: bool = False
    """continuous actions go through tanh into their bounds; false: they are clipped."""
    log_std_init: float = 0.0
    """logarithm of the first standard deviation of continuous actions, in half ranges of them."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """mixed_bfloat16: training computes torsos in bfloat16; weights, evaluation and export stay
    float32. Faster where processor or GPU multiply in it, slower elsewhere."""
    builder: str | None = None
    """my_package.models:build, called with (EnvSpec, width of the policy head), returns a Keras
    functional model in place of torso, core and heads."""

    @pydantic.model_validator(mode="after")
    def _builder_fits(self) -> NetworkConfig:
        if self.builder and (self.core != "none" or self.normalize_observation):
            raise ValueError(
                "builder replaces core and normalize_observation: set core=none and "
                "normalize_observation=false"
            )
        if self.builder and self.precision != "float32":
            raise ValueError("the model of builder has its own precision: set precision=float32")
        return self


class ScheduleConfig(Section):
    """How a coefficient changes with the environment steps taken; `shape` must be given."""

    shape: Literal["constant", "linear", "cosine", "piecewise"]
    """linear and cosine fall to 0 at run.total_steps; piecewise follows the milestones."""
    milestones: Milestones = ()
    """[[step, factor], ...] of a piecewise schedule: from that environment step on, the coefficient
    is the factor times its value at the start."""

    @pydantic.model_validator(mode="after")
    def _milestones_fit(self) -> ScheduleConfig:
        """Checks that only a piecewise schedule has milestones, and that their steps ascend."""
        steps = [step for step, _ in self.milestones]
        if (self.shape == "piecewise") != bool(self.milestones):
            raise ValueError("milestones go with a piecewise schedule, and only with it")
        if steps != sorted(set(steps)):
            raise ValueError(f"milestones have steps {steps}; expected ascending ones")
        return self


class A2CConfig(Section):
    """The algorithm: returns, advantages and the terms of the loss."""

    unroll_length: Positive = 5
    """T, steps of each environment before an update."""
    gamma: Fraction = 0.99
    """γ, discount a step."""
    advantage: Literal["gae", "n_step", "td", "monte_carlo"] = "gae"
    """gae: generalised advantage estimation with λ = gae_lambda. Named cases of it, which ignore
    gae_lambda: td is λ = 0, n_step is λ = 1; monte_carlo is λ = 1 that takes a truncated episode
    for a terminated one, and bootstraps only where the unroll ends."""
    gae_lambda: Fraction = 1.0
    """λ of advantage=gae, which alone reads it: 0 is the same as advantage=td, 1 as n_step."""
    normalize_advantage: bool = False
    """the policy term takes (A - mean) / std of the batch for A, of two samples or more."""
    entropy_coef: Annotated[float, Field(ge=0)] = 0.01
    """factor of the entropy in the loss; higher values explore more."""
    entropy_schedule: ScheduleConfig = ScheduleConfig(shape="constant")
    """of entropy_coef."""
    noise_hold: Positive = 1
    """held noise: steps for which each environment keeps the random numbers that its actions are
    drawn with; 1: new ones at each step."""
    clip_reward: bool = False
    """the loss sees the sign of each reward; scores stay as they are."""
    scale_reward: bool = False
    """rewards are divided by the standard deviation of the discounted return so far."""
    value_coef: Annotated[float, Field(ge=0)] = 0.5
    """factor of the value loss."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 0.5
    """the gradient's global norm is clipped to this."""

    @pydantic.model_validator(mode="after")
    def _settings_fit(self) -> A2CConfig:
        if self.clip_reward and self.scale_reward:
            raise ValueError("clip_reward and scale_reward exclude each other: set one of them")
        return self


class OptimizerConfig(Section):
    """How gradients change the weights."""

    name: Literal["rmsprop_tf1", "rmsprop", "adam"] = "rmsprop_tf1"
    """rmsprop_tf1: as TensorFlow 1 defined it; rmsprop and adam: as Keras does."""
    learning_rate: Annotated[float, Field(gt=0)] = 7e-4
    """at the first step; the schedule changes it."""
    schedule: ScheduleConfig = ScheduleConfig(shape="linear")
    """of learning_rate."""
    rho: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """decay of the mean square of either rmsprop."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-5
    """inside the root of either rmsprop, beside that of adam."""


class RunConfig(Section):
    """How long a run is, and when it logs, saves and evaluates."""

    total_steps: Positive = 1_000_000
    """environment steps, autoresets not counted."""
    seed: NonNegative = 0
    """of weights, environments, actions and evaluation."""
    updates_per_call: Positive = 50
    """K, updates in one compiled call."""
    compile: Literal["auto", "xla", "mixed"] = "auto"
    """xla: the whole step; mixed: all but the network; auto: mixed for convolutions, else xla."""
    inspect_every: NonNegative = 0
    """updates between looks at what the losses do to the shared weights; 0: never."""
    log_every: Positive = 20_000
    """steps between lines of metrics.jsonl."""
    save_every: Positive = 1_000_000
    """steps between checkpoints; the last one is always saved."""
    keep_checkpoints: Annotated[Count, Field(ge=2)] = 3
    """older ones are deleted."""
    eval_every: NonNegative = 0
    """steps between evaluations; 0: only at the end."""
    eval_episodes: Positive = 100
    """episodes of each evaluation."""
    eval_deterministic: bool = True
    """greedy actions; false: sampled as in training."""
    export: bool = True
    """the run ends with an export; false: `python -m export` makes one later."""
    trackers: Trackers = ("tensorboard",)
    """where the metrics go beside metrics.jsonl: tensorboard, into the run's folder; wandb and
    mlflow need the extra of that name; []: nowhere."""


class Config(Section):
    """All settings of a run."""

    env: EnvConfig = EnvConfig()
    network: NetworkConfig = NetworkConfig()
    a2c: A2CConfig = A2CConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()

    @pydantic.model_validator(mode="after")
    def _batch_fits(self) -> Config:
        if self.a2c.normalize_advantage and self.a2c.unroll_length * self.env.num_envs == 1:
            raise ValueError(
                "a2c.normalize_advantage: received true with one sample an update "
                "(a2c.unroll_length=1, env.num_envs=1), whose advantage less the mean is always 0; "
                "set it to false, or raise one of the two"
            )
        return self
