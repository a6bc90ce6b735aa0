"""What tests share: the one way to helpers that are no fixtures."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""of the checkout."""
