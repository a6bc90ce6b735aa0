"""Checks of an environment: `python -m a2c_tf.envs check ID`."""
