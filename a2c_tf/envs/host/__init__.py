"""Environments that are stepped outside of the graph."""
