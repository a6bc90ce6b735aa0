"""The tutorial: executed as `make docs` does, and shown as a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from docs import notebooks

EXECUTE = """
import os, sys
from pathlib import Path
from docs import notebooks

notebook = notebooks.read(notebooks.TUTORIAL)
os.environ["PYTHONPATH"] = str(notebooks.ROOT)
sys.path.insert(0, str(notebooks.ROOT))
os.chdir(sys.argv[1])
notebooks.execute(notebook)
print(notebooks.to_markdown(notebook))
"""


@pytest.mark.process
@pytest.mark.training
@pytest.mark.slow
def test_the_tutorial_runs_and_its_agent_finds_the_exit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "mean return of the evaluation: 0.9\n" in done.stdout
    assert "exit on the right: right\nexit on the left:  left\n" in done.stdout


def test_the_tutorial_is_stored_with_its_output() -> None:
    cells = notebooks.read(notebooks.TUTORIAL)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert 10 <= len(cells) <= 15
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    page = notebooks.to_markdown({"cells": cells})
    assert page.count("```python\n") == len(code)
    assert "```text\nexit on the right: right\n" in page
