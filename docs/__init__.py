"""The documentation, and what generates and builds it: see index.md."""
