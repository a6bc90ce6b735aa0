"""Schedules in environment steps, and that a run follows them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf.config import Config, parse
from a2c_tf.errors import ConfigError
from a2c_tf.optimizers import make_schedule
from a2c_tf.training import assembly

MILESTONES = ((250, 0.5), (500, 0.1))


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        # at 0, 249, 250, 500, 1000 and 1001 of 1000 steps
        ("constant", [0.2, 0.2, 0.2, 0.2, 0.2, 0.2]),
        ("linear", [0.2, 0.1502, 0.15, 0.1, 0.0, 0.0]),
        ("cosine", [0.2, 0.1709325, 0.1707107, 0.1, 0.0, 0.0]),
        ("piecewise", [0.2, 0.2, 0.1, 0.02, 0.02, 0.02]),
    ],
)
def test_values(shape, values, variant):
    schedule = variant(make_schedule(0.2, shape, MILESTONES, total_steps=1000))
    steps = [0, 249, 250, 500, 1000, 1001]
    actual = [schedule(tf.constant(step, tf.int64)) for step in steps]
    np.testing.assert_allclose(actual, values, atol=1e-7)


def test_a_milestone_at_the_start_counts_from_the_start():
    schedule = make_schedule(1.0, "piecewise", ((0, 0.3),), total_steps=10)
    assert float(schedule(tf.constant(0, tf.int64))) == pytest.approx(0.3)


def test_both_coefficients_follow_their_own_schedule():
    config = Config.model_validate(
        {
            "a2c": {"entropy_coef": 0.1, "entropy_schedule": "linear"},
            "optimizer": {
                "learning_rate": 1.0,
                "schedule": "piecewise",
                "milestones": [[10, 0.25]],
            },
            "run": {"total_steps": 100},
        }
    )
    schedules, steps = assembly.make_schedules(config), tf.constant(40, tf.int64)
    assert float(schedules.learning_rate(steps)) == pytest.approx(0.25)
    assert float(schedules.entropy_coef(steps)) == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "piecewise"}, "milestones go with a piecewise schedule"),
        ({"schedule": "linear", "milestones": [[10, 0.5]]}, "only with it"),
        ({"schedule": "piecewise", "milestones": [[10, 0.5], [10, 0.1]]}, "ascending"),
        ({"schedule": "piecewise", "milestones": [[10, -0.5]]}, "greater than or equal to 0"),
    ],
)
def test_milestones_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message) as raised:
        parse({"optimizer": settings})
    assert len(str(raised.value).splitlines()) == 1
