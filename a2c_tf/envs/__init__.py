"""Environments: in the graph, on the host, and their registry."""
