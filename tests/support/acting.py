"""Actor steps in one call, since most tests do not care how actions are chosen."""

from __future__ import annotations

from a2c_tf.distributions import Distribution
from a2c_tf.envs.base import Environment
from a2c_tf.types import Compiler
from a2c_tf.unroll import StepActor, make_action_choice, make_actor_step


def actor_step_of(
    env: Environment,
    distribution: Distribution,
    deterministic: bool = False,
    noise_hold: int = 1,
    compiler: Compiler = lambda function: function,
) -> StepActor:
    """Makes the actor step of an environment, with the choice of actions compiled or not."""
    choose = make_action_choice(distribution, env.spec.num_envs, deterministic, noise_hold)
    return make_actor_step(env, distribution, compiler(choose))
