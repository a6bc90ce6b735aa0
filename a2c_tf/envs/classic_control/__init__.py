"""Classic control in the graph, with gymnasium's constants."""
