"""A trained policy as an object: from an export by onnxruntime alone, or from a checkpoint."""

from a2c_tf.policies.loading import PolicyError, load
from a2c_tf.policies.policy import Policy
from a2c_tf.policies.scores import Score, Scores

__all__ = ["Policy", "PolicyError", "Score", "Scores", "load"]
