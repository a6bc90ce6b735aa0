"""The documentation says what the code is: settings, functions, files, commands and links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support import ROOT

from a2c_tf.config import Config
from a2c_tf.config.describing import settings
from a2c_tf.library import Run
from docs import generate

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "benchmarks/notebook/*.md")
    for path in ROOT.glob(pattern)
)
TODAYS = [page for page in PAGES if "notebook" not in page and page != "CHANGELOG.md"]
"""those that speak of the code as it is."""
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PACKAGES = ("a2c_tf", "benchmarks", "docs", "export", "serving")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as mkdocs and code hosts name them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def definitions(path: Path) -> set[str]:
    """Returns the functions, classes and names of a module, methods as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [child for child in node.body if isinstance(child, ast.FunctionDef)]
            names |= {f"{node.name}.{child.name}" for child in inner}
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_configuration_is_that_of_the_schema() -> None:
    assert generate.text() == generate.OUT.read_text(encoding="utf-8"), (
        "docs/configuration.md is out of date: run python -m docs.generate"
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text_of(page))):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        path = folder / file if file else ROOT / page
        assert path.is_file(), f"{page} links to {target}"
        assert not anchor or anchor in anchors(path), f"{page} links to {target}"


def test_every_equation_names_functions_that_are_there() -> None:
    lines = re.findall(r"^→ (.*) in \[(.*)\]\(", text_of("docs/algorithm.md"), re.MULTILINE)
    named = [(path, name) for names, path in lines for name in re.findall(r"`([^`]+)`", names)]
    assert len(named) > 25
    missing = [(path, name) for path, name in named if name not in definitions(ROOT / path)]
    assert missing == []


@pytest.mark.parametrize("page", TODAYS)
def test_every_command_is_a_module(page: str) -> None:
    for module in re.findall(r"python -m ([\w.]+)", text_of(page)):
        path = ROOT / module.replace(".", "/")
        if module.partition(".")[0] in PACKAGES:
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", TODAYS)
def test_every_file_that_is_named_exists(page: str) -> None:
    pattern = rf"(?<![\w./])((?:{'|'.join(PACKAGES)}|configs|tests)/[\w./]+\.(?:py|md|yaml|json))"
    for name in re.findall(pattern, FENCED.sub("", text_of(page))):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("page", TODAYS)
def test_every_setting_that_is_named_exists(page: str) -> None:
    known = {setting.name for setting in settings(Config)}
    sections = {name.rpartition(".")[0] for name in known}
    text = re.sub(r"[\w/]+\.py\b|env\.(?:step|reset|close)", "", text_of(page))
    named = re.findall(r"(?<![\w./])(?:env|network|a2c|optimizer|run)(?:\.[a-z_]+)+", text)
    mistakes = {"a2c.gama"}  # an example of one
    results = {f"run.{field}" for field in Run._fields}  # of `run = a2c_tf.train(...)`
    unknown = set(named) - known - sections - mistakes - results
    assert {name for name in unknown if not name.startswith("env.kwargs.")} == set()
