"""Environments: computed in the graph, or stepped on the host, behind one contract."""
