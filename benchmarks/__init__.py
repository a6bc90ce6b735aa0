"""Scripts that measure; README.md says how, and notebook/ records what came out."""
