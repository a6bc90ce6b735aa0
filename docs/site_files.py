"""Lets the site have the same tree as the repository, so that one relative link serves both.

A hook of mkdocs, which by itself knows the files in `docs/` alone: pages link to the source, to
`CONTRIBUTING.md` and to `benchmarks/`, and `--strict` finds the links that lead nowhere.
"""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs import notebooks

ROOT = Path(__file__).resolve().parent.parent
SHOWN = (
    "*.md",
    "LICENSE",
    "Makefile",
    "mkdocs.yml",
    "requirements*.txt",
    "setup.cfg",
    "docs/*.ipynb",
    "docs/*.md",
    "docs/*.css",
    "benchmarks/**/*",
    "a2c_tf/**/*.py",
    "configs/*.yaml",
    "export/*.py",
    "serving/*.py",
    "tests/**/*.py",
)
"""of the repository, as patterns; README.md is the first page."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Returns the theme's own files, and those of the repository by their paths in it."""
    shown = {path for pattern in SHOWN for path in ROOT.glob(pattern) if path.is_file()}
    paths = sorted(path for path in shown if path.suffix != ".pyc")
    return Files(
        [file for file in files if file.src_dir != config.docs_dir]
        + [
            File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path))
            for path in paths
        ]
        + [_tutorial(config)]
    )


def _tutorial(config: MkDocsConfig) -> File:
    """Returns the notebook as a page."""
    page = notebooks.to_markdown(notebooks.read(notebooks.TUTORIAL))
    return File.generated(config, "docs/tutorial.md", content=page)
