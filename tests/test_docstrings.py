"""Public docstrings: a verb first, and sections for the arguments of functions that have many.

ruff holds the rest of the form, and that modules, classes and functions have a docstring at all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

Function = ast.FunctionDef | ast.AsyncFunctionDef

MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("a2c_tf", "export", "serving")
    for path in (ROOT / package).rglob("*.py")
)
MANY = 3
"""arguments from which on each is described."""


def public_functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Functions of a module and methods of its classes, by dotted name; no properties."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{prefix}{node.name}.")
        if isinstance(node, Function) and not (node.name.startswith("_") or is_property(node)):
            yield prefix + node.name, node


def is_property(function: Function) -> bool:
    return any(ast.unparse(decorator) == "property" for decorator in function.decorator_list)


def faults(function: Function) -> list[str]:
    """What is wrong with the docstring; nothing where a method has that of its base."""
    text = ast.get_docstring(function)
    if not text:
        return []
    found = []
    if not text.split()[0].endswith("s"):
        found.append(f"begins with {text.split()[0]!r}, not with a verb such as Returns")
    arguments = [*function.args.args, *function.args.kwonlyargs]
    names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
    if len(names) >= MANY:
        returned = ast.unparse(function.returns) if function.returns else "None"
        if "Args:" not in text:
            found.append(f"has no Args for {', '.join(names)}")
        if returned != "None" and not ("Returns:" in text or "Yields:" in text):
            found.append(f"has no Returns for {returned}")
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_public_docstrings_have_a_verb_and_describe_arguments(module: Path) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    wrong = {
        f"{module}:{function.lineno} {name}": found
        for name, function in public_functions(tree.body)
        if (found := faults(function))
    }
    assert not wrong


def test_a_noun_and_missing_sections_are_found() -> None:
    (function,) = ast.parse('def f(a, b, c) -> int:\n    """The sum."""').body
    assert isinstance(function, Function)
    assert faults(function) == [
        "begins with 'The', not with a verb such as Returns",
        "has no Args for a, b, c",
        "has no Returns for int",
    ]
