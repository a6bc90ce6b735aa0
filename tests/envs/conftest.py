"""Makes the helper modules of these tests importable, with pytest's own assertion messages."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "minatar")]
pytest.register_assert_rewrite("classic_control", "contract", "minatar_oracle", "rollouts")
