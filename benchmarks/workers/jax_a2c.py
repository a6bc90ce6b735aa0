"""A2C in JAX as PureJaxRL writes it, on gymnax: one jitted scan over updates, environments vmapped.

How its games differ from ours and MinAtar's:
- gymnax has no sticky actions; they are added here, with 0.1.
- Time limits of gymnax that MinAtar does not have are lifted; CartPole's 500 and Freeway's 2,500
  stay.
- The next episode starts in the step that ends it, where ours takes a step for that, which is not
  counted; as in PureJaxRL, an episode that runs out of time counts as one that failed.
- Random numbers, and details of Asterix, Seaquest and Space Invaders, are gymnax's own.

Started by `benchmarks.throughput` in an environment that `make peers` makes.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnax
import jax
import jax.numpy as jnp
import optax

from benchmarks.workers import jax_network, protocol
from benchmarks.workloads import ACTING, STEPPING, TRAINING, Workload

STICKY = 0.1
GAMMA, VALUE_COEF, ENTROPY_COEF, MAX_GRAD_NORM, LEARNING_RATE = 0.99, 0.5, 0.01, 0.5, 7e-4
TURNS = 200
"""of one jitted scan, each a step or an update."""


class Environments(NamedTuple):
    """B games of gymnax."""

    reset: Callable[..., Any]
    """key -> observation, state."""
    step: Callable[..., Any]
    """(key, state, action) -> observation, state, reward, done."""
    num_envs: int
    observation_shape: tuple[int, ...]
    actions: int


class Runner(NamedTuple):
    """The state that is carried from step to step."""

    observation: jax.Array
    state: Any
    key: jax.Array


class Transition(NamedTuple):
    """One step of every environment."""

    observation: jax.Array
    action: jax.Array
    reward: jax.Array
    done: jax.Array


def make_environments(workload: Workload) -> Environments:
    env, parameters = gymnax.make(str(workload.gymnax_id))
    sticky = workload.env_id.startswith("MinAtar/")
    if sticky and "Freeway" not in workload.env_id:
        parameters = parameters.replace(max_steps_in_episode=2**30)

    def reset(key: jax.Array) -> Any:
        observation, game = env.reset(key, parameters)
        return observation, (game, jnp.zeros([], jnp.int32))

    def step(key: jax.Array, state: Any, action: jax.Array) -> Any:
        (game, last_action), (step_key, stick_key) = state, jax.random.split(key)
        if sticky:
            sticks = jax.random.uniform(stick_key) < STICKY
            action = jnp.where(sticks, last_action, action)
        observation, game, reward, terminated, truncated, _ = env.step(
            step_key, game, action, parameters
        )
        done = terminated | truncated
        return observation, (game, jnp.where(done, 0, action)), reward, done

    return Environments(
        jax.vmap(reset),
        jax.vmap(step),
        workload.num_envs,
        env.observation_space(parameters).shape,
        env.num_actions,
    )


def make_step(envs: Environments, workload: Workload, network: bool) -> Callable[..., Any]:
    """Returns (runner, parameters) -> runner, transition, with the network's or random actions."""

    def step(runner: Runner, parameters: Any) -> tuple[Runner, Transition]:
        key, action_key, step_key = jax.random.split(runner.key, 3)
        if network:
            logits = jax_network.apply(parameters, runner.observation, workload).logits
            action = jax.random.categorical(action_key, logits)
        else:
            action = jax.random.randint(action_key, (envs.num_envs,), 0, envs.actions)
        keys = jax.random.split(step_key, envs.num_envs)
        observation, state, reward, done = envs.step(keys, runner.state, action)
        return Runner(observation, state, key), Transition(runner.observation, action, reward, done)

    return step


def loss(parameters: Any, rows: Transition, returns: jax.Array, workload: Workload) -> jax.Array:
    """Returns the loss of A2C; `rows` and `returns` lead with `[T, B]`."""
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rows)
    output, returns = jax_network.apply(parameters, flat.observation, workload), returns.reshape(-1)
    log_probs = jax.nn.log_softmax(output.logits)
    chosen = jnp.take_along_axis(log_probs, flat.action[:, None], axis=1)[:, 0]
    advantage = jax.lax.stop_gradient(returns - output.value)
    entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=1)
    value_loss = 0.5 * jnp.square(returns - output.value)
    return jnp.mean(-chosen * advantage + VALUE_COEF * value_loss - ENTROPY_COEF * entropy)


def n_step_returns(rows: Transition, bootstrap: jax.Array) -> jax.Array:
    def backwards(following: jax.Array, row: Transition) -> tuple[jax.Array, jax.Array]:
        value = row.reward + GAMMA * (1.0 - row.done) * following
        return value, value

    return jax.lax.scan(backwards, bootstrap, rows, reverse=True)[1]


def make_optimizer() -> optax.GradientTransformation:
    """Returns RMSprop as TensorFlow 1 had it, after clipping."""
    return optax.chain(
        optax.clip_by_global_norm(MAX_GRAD_NORM),
        optax.rmsprop(LEARNING_RATE, decay=0.99, eps=1e-5, initial_scale=1.0),
    )


def make_update(
    step: Callable[..., Any], workload: Workload, optimizer: optax.GradientTransformation
) -> Callable[..., Any]:
    """Returns a function of (runner, parameters, optimizer's state): one unroll and update."""

    def update(carry: Any, _: None) -> tuple[Any, None]:
        runner, parameters, optimizer_state = carry
        runner, rows = jax.lax.scan(
            lambda r, _: step(r, parameters), runner, None, workload.unroll_length
        )
        bootstrap = jax_network.apply(parameters, runner.observation, workload).value
        returns = n_step_returns(rows, bootstrap)
        gradients = jax.grad(loss)(parameters, rows, returns, workload)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state)
        return (runner, optax.apply_updates(parameters, updates), optimizer_state), None

    return update


def build(workload: Workload) -> protocol.Built:
    envs, optimizer = make_environments(workload), make_optimizer()
    key = jax.random.key(0)
    parameters = jax_network.initial(key, workload, envs.observation_shape, envs.actions)
    observation, state = envs.reset(jax.random.split(key, workload.num_envs))
    runner = Runner(observation, state, key)
    acting, stepping = (make_step(envs, workload, network) for network in (True, False))
    update = make_update(acting, workload, optimizer)

    def only(step: Callable[..., Any]) -> Callable[..., Any]:
        return lambda r, _: (step(r, parameters)[0], None)

    per_update = workload.unroll_length * workload.num_envs
    start = (runner, parameters, optimizer.init(parameters))
    makers = {
        STEPPING: lambda: _repeated(only(stepping), runner, TURNS, workload.num_envs),
        ACTING: lambda: _repeated(only(acting), runner, TURNS, workload.num_envs),
        TRAINING: lambda: _repeated(update, start, TURNS, per_update),
    }
    return protocol.Built(makers, _about())


def _repeated(body: Callable[..., Any], carry: Any, length: int, steps: int) -> protocol.Run:
    """Runs a jitted scan of `length`, each of whose turns takes `steps` environment steps."""

    @functools.partial(jax.jit, donate_argnums=0)
    def many(carry: Any) -> Any:
        return jax.lax.scan(body, carry, None, length)[0]

    carry = jax.tree.map(lambda x: x.copy(), carry)  # of its own, to be given away

    def run(size: int) -> int:
        nonlocal carry
        for _ in range(size):
            carry = many(carry)
        jax.block_until_ready(carry)
        return size * length * steps

    return run


def _about() -> dict[str, Any]:
    names = ("jax", "jaxlib", "gymnax", "optax")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {
        "versions": {**versions, "python": platform.python_version()},
        "threads": f"{os.cpu_count()} intra-op",
    }


if __name__ == "__main__":
    sys.exit(protocol.serve(build))
