"""The tutorial as it is stored: `make docs` executes it, and shows it as a page."""

from __future__ import annotations

from docs import notebooks


def test_the_tutorial_is_stored_with_its_output() -> None:
    cells = notebooks.read(notebooks.TUTORIAL)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert 10 <= len(cells) <= 15
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    page = notebooks.to_markdown({"cells": cells})
    assert page.count("```python\n") == len(code)
    assert "mean return of the evaluation: 0.9\n" in page
    assert "```text\nexit on the right: right\n" in page
