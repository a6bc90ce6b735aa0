"""The folder of a run: checkpoints, metrics and curves."""
