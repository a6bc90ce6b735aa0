"""Scripts that measure; their recorded output is in README.md."""
