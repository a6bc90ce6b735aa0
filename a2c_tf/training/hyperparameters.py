"""From a config to the scalars of an update."""

from __future__ import annotations

from a2c_tf.config import Config
from a2c_tf.errors import ConfigError
from a2c_tf.learner import LearnerConfig
from a2c_tf.losses import LossConfig
from a2c_tf.optimizers import make_schedule


def make_loss_config(config: Config) -> LossConfig:
    """Returns the scalars of the loss.

    Raises:
      ConfigError: where an update has one advantage alone, which normalisation makes 0.
    """
    a2c = config.a2c
    if a2c.normalize_advantage and config.env.num_envs * a2c.unroll_length == 1:
        raise ConfigError(
            "a2c.normalize_advantage=true: received env.num_envs=1 and a2c.unroll_length=1, "
            "expected two samples or more an update, since one alone becomes 0; "
            "raise one of them, or set it to false"
        )
    lambdas = {"td": 0.0, "n_step": 1.0, "monte_carlo": 1.0, "gae": a2c.gae_lambda}
    return LossConfig(
        gamma=a2c.gamma,
        lambda_=lambdas[a2c.advantage],
        value_coef=a2c.value_coef,
        entropy_coef=a2c.entropy_coef,
        bootstrap_truncated=a2c.advantage != "monte_carlo",
        normalize_advantage=a2c.normalize_advantage,
        clip_reward=a2c.clip_reward,
    )


def make_learner_config(config: Config) -> LearnerConfig:
    """Returns the scalars of an update, with their schedules by environment steps."""
    a2c, optimizer, total = config.a2c, config.optimizer, config.run.total_steps
    return LearnerConfig(
        loss=make_loss_config(config),
        learning_rate=make_schedule(optimizer.learning_rate, optimizer.schedule, total),
        entropy_coef=make_schedule(a2c.entropy_coef, a2c.entropy_schedule, total),
        max_grad_norm=a2c.max_grad_norm,
    )
