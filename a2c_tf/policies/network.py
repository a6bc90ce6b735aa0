"""A policy that TensorFlow computes from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from a2c_tf.agent import Agent, load_agent
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.runs import checkpoints, run_dir
from export.inference import Inference
from export.manifest import describe_space
from serving.inputs import ACTION_MASK, Inputs, placeholder
from serving.policy import check_finite
from serving.sampling import ActionDistribution, Discrete, choices_of
from serving.tensors import Array, TensorSpec


class Network:
    """The function that would be exported, as TensorFlow computes it.

    Args:
      agent: network and distribution.

    Attributes:
      inputs: the spec of each, by name.
      distribution: of the actions.
      choices: of each component of a masked action.
    """

    def __init__(self, agent: Agent) -> None:
        self._inference = Inference(agent)
        self.inputs = {
            spec.name: TensorSpec(spec.name, spec.dtype.name, (-1, *spec.shape[1:]))
            for spec in self._inference.signature
        }
        entry = agent.distribution.manifest_entry()
        self.distribution: ActionDistribution | None = msgspec.convert(entry, ActionDistribution)
        self.choices = self._masked_choices(self.distribution)

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Returns every output for `inputs` `[N, ...]`.

        Raises:
          InvalidInputError: for a non-finite output.
        """
        outputs = self._inference(inputs)
        check_finite(outputs, self.inputs)
        return outputs

    def _masked_choices(self, distribution: Any) -> tuple[int, ...]:
        if ACTION_MASK not in self.inputs or not isinstance(distribution, Discrete):
            return ()
        outputs = self.run({name: placeholder(spec, 1) for name, spec in self.inputs.items()})
        return tuple(score.shape[1] for score in choices_of(distribution, outputs["logits"]).scores)


def load_network(path: Path, selector: str) -> tuple[Network, dict[str, Any]]:
    """Loads a checkpoint of a run.

    Args:
      path: the run's folder.
      selector: `best`, `last` or a number of environment steps.

    Returns:
      The network, and the part of a manifest that describes it beside its files.

    Raises:
      CommandError: where there is no such checkpoint, or the environment cannot be made.
    """
    folder, config = run_dir.open_existing(path)
    checkpoint = checkpoints.load_selected(folder.checkpoints, selector)
    with report_errors():
        agent = load_agent(config, checkpoint)
    spec = agent.spec
    return Network(agent), {
        "environment": {"id": spec.id, "max_episode_steps": spec.max_episode_steps},
        "observation_space": describe_space(spec.observation_space),
        "action_space": describe_space(spec.action_space),
        "action_meanings": list(spec.action_meanings),
        "config": config.model_dump(mode="json"),
        "env_steps": checkpoint.counters.env_steps,
    }
