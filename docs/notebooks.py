"""`python -m docs.notebooks`: executes docs/tutorial.ipynb and writes its output into it.

The cells run in one plain Python process, in an empty folder, so that the packages that train are
enough and no Jupyter is needed. The site shows the notebook as a page of Markdown.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.ipynb"

Notebook = dict[str, Any]


def main() -> int:
    """Executes the tutorial, and returns 0; a cell that raises ends it."""
    # cells start processes, which must find the same packages
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    notebook = read(TUTORIAL)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        execute(notebook)
    TUTORIAL.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def read(path: Path) -> Notebook:
    """Returns the content of a notebook."""
    content: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return content


def execute(notebook: Notebook) -> None:
    """Runs every code cell in turn, and puts what it prints into its outputs."""
    names: dict[str, Any] = {"__name__": "__main__"}
    code_cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code_cells, 1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(_source(cell), f"cell {number}", "exec"), names)
        cell["execution_count"] = number
        cell["outputs"] = _stream(printed.getvalue())


def to_markdown(notebook: Notebook) -> str:
    """Returns a notebook as a page: code in fences, and what it printed below."""
    return "\n\n".join(_page_part(cell) for cell in notebook["cells"]) + "\n"


def _page_part(cell: dict[str, Any]) -> str:
    if cell["cell_type"] == "markdown":
        return _source(cell)
    printed = ["".join(output["text"]).rstrip("\n") for output in cell["outputs"]]
    blocks = [f"```python\n{_source(cell)}\n```", *(f"```text\n{text}\n```" for text in printed)]
    return "\n\n".join(blocks)


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _stream(text: str) -> list[dict[str, Any]]:
    lines = text.splitlines(keepends=True)
    return [{"name": "stdout", "output_type": "stream", "text": lines}] if text else []


if __name__ == "__main__":
    sys.exit(main())
