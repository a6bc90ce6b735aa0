"""Makes the helper modules beside this file importable, with pytest's own assertion messages."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
pytest.register_assert_rewrite("classic_control", "contract", "minatar_oracle", "rollouts")
