"""Who may import whom: the law of layers, held by reading the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import ROOT

LAYERS = [
    layer.split()
    for layer in (
        "types errors spaces prng running_statistics invocation dependencies",
        "config distributions cli returns",
        "losses optimizers runs envs networks callbacks",
        "unroll learner",
        "acceleration agent diagnostics",
        "train_step export",
        "evaluation",
        "training policies",
        "library",
        "train evaluate plot envs.__main__ export.__main__",
    )
]
"""Units, each above those that may import it; within a layer units do not know each other."""
LEAVES, COMMANDS = LAYERS[0], LAYERS[-1]
BESIDE_SERVING = "policies"
"""The only unit of ours that knows `serving`: a policy acts in a program as it does when served."""
OF_THE_PROTOCOL = {"app", "server", "act", "body", "responses", "protocol", "client", "__main__"}
"""Modules of `serving` that speak HTTP, which no program of ours needs."""


def modules(package: str) -> list[str]:
    """Those of a package and the packages in it; a package goes by its own name."""
    paths = sorted((ROOT / package).rglob("*.py"))
    names = (".".join(p.relative_to(ROOT).with_suffix("").parts) for p in paths)
    return [name.removesuffix(".__init__") for name in names]


OURS = tuple(modules("a2c_tf") + modules("export") + modules("serving"))


def source(module: str) -> ast.Module:
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imported(module: str, running: bool = False) -> set[str]:
    """Every module that `module` names in an import, ours by their full name.

    With `running` those for type checkers alone are left out.
    """
    names: set[str] = set()
    tree = source(module)
    if running:
        tree.body = [node for node in tree.body if not is_for_type_checkers(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports from {'.' * node.level}: use the full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in OURS else str(node.module))
    return names


def unit(module: str) -> str:
    """Returns the name by which LAYERS has a module: that of a command, or of a folder or file."""
    name = module.removeprefix("a2c_tf.")
    return name if name in COMMANDS else name.partition(".")[0]


def layer(module: str) -> int:
    """Returns the number of a module's layer, counted from the leaves."""
    (number,) = (i for i, units in enumerate(LAYERS) if unit(module) in units)
    return number


@pytest.mark.parametrize("module", [m for m in OURS if m != "a2c_tf" and "serving" not in m])
def test_each_layer_imports_only_those_before_it(module):
    ours = {name for name in imported(module) & set(OURS) if name != "a2c_tf"}
    served = {name for name in ours if name.split(".")[0] == "serving"}
    assert not served or unit(module) == BESIDE_SERVING
    assert not {name.partition(".")[2] for name in served} & OF_THE_PROTOCOL
    others = {name for name in ours - served if unit(name) != unit(module)}
    allowed = {name for name in others if layer(name) < layer(module)}
    if unit(module) in LEAVES:
        allowed = {name for name in others if unit(name) in LEAVES}
    assert others == allowed


def test_the_package_itself_imports_nothing_of_ours():
    """But for type checkers: its names are imported when they are first used."""
    assert imported("a2c_tf", running=True) == {"__future__", "importlib"}


@pytest.mark.parametrize("module", modules("serving"))
def test_serving_imports_nothing_of_ours_nor_tensorflow(module):
    forbidden = ("a2c_tf", "export", "tensorflow", "keras", "gymnasium", "onnx.")
    assert not [name for name in imported(module) if f"{name}.".startswith(forbidden)]


def executed(module: str) -> set[str]:
    """What an import of `module` runs: all it names, and the packages around that but its own."""
    named = imported(module, running=True)
    parts = [name.split(".") for name in named]
    around = {".".join(part[:n]) for part in parts for n in range(1, len(part))}
    return named | {name for name in around if not module.startswith(f"{name}.")} - {module}


def test_there_is_no_cycle():
    graph = {module: executed(module) for module in modules("a2c_tf") + modules("export")}
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"import cycle: {' -> '.join((*path, module))}"
        if module not in finished:
            for name in graph[module] & graph.keys():
                visit(name, (*path, module))
            finished.add(module)

    for module in graph:
        visit(module, ())


def test_tests_share_through_support_alone():
    for path in (ROOT / "tests").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        froms = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        parts = {part for name in froms for part in name.split(".")}
        assert not [part for part in parts if part in ("tests", "conftest") or part[:5] == "test_"]


@pytest.mark.parametrize("module", modules("a2c_tf") + modules("export"))
def test_tf_function_only_where_compilation_is_decided(module):
    deciding = ("a2c_tf.acceleration.compilation", "a2c_tf.envs.host.xla_handlers")
    if module in deciding or module.startswith("export."):
        return
    uses = [
        n for n in ast.walk(source(module)) if isinstance(n, ast.Attribute) and n.attr == "function"
    ]
    assert not uses
