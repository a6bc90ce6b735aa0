"""A trained policy as an object: from an export by onnxruntime alone, or from a checkpoint."""

from a2c_tf import invocation

invocation.import_own("serving")  # whatever the user has by that name in the current folder

from a2c_tf.policies.loading import PolicyError, load  # noqa: E402
from a2c_tf.policies.policy import Policy  # noqa: E402
from a2c_tf.policies.scores import Score, Scores  # noqa: E402

__all__ = ["Policy", "PolicyError", "Score", "Scores", "load"]
