"""Who may import whom: the table of the architecture, held by reading the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "a2c_tf.types": set(),
    "a2c_tf.threefry": set(),
    "a2c_tf.config": {"command_line"},
    "a2c_tf.command_line": set(),
    "a2c_tf.startup": set(),
    "a2c_tf.returns": set(),
    "a2c_tf.distributions": set(),
    "a2c_tf.losses": {"distributions", "returns", "types"},
    "a2c_tf.optimizers": {"config"},
    "a2c_tf.torsos": {"config"},
    "a2c_tf.networks": {"config", "distributions", "torsos", "types"},
    "a2c_tf.unroll": {"distributions", "envs.base", "threefry", "types"},
    "a2c_tf.schedules": set(),
    "a2c_tf.learner": {"distributions", "losses", "schedules", "types"},
    "a2c_tf.train_step": {"learner", "types", "unroll"},
    "a2c_tf.evaluation": {"envs.base", "types", "unroll"},
    "a2c_tf.checkpointing": {"command_line"},
    "a2c_tf.run_dir": {"config"},
    "a2c_tf.metrics": {"command_line", "run_dir"},
    "a2c_tf.envs.base": {"threefry", "types"},
    "a2c_tf.envs.cartpole": {"envs.base", "types"},
    "a2c_tf.envs.catch": {"envs.base", "types"},
    "a2c_tf.envs.host": {"command_line", "types"},
    "a2c_tf.envs.minatar.board": {"types"},
    "a2c_tf.envs.minatar.bitboard": {"envs.minatar.board"},
    "a2c_tf.envs.minatar.asterix": {"envs.base", "envs.minatar.bitboard", "envs.minatar.board"},
    "a2c_tf.envs.minatar.breakout": {"envs.base", "envs.minatar.board"},
    "a2c_tf.envs.minatar.seaquest": {"envs.base", "envs.minatar.bitboard", "envs.minatar.board"},
    "a2c_tf.envs.minatar.space_invaders": {
        "envs.base",
        "envs.minatar.bitboard",
        "envs.minatar.board",
    },
    "a2c_tf.envs.minatar.freeway": {"envs.base", "envs.minatar.bitboard", "envs.minatar.board"},
}
COMMANDS = {"train", "evaluate", "plot"}


def modules(package: str) -> list[str]:
    paths = sorted((ROOT / package).rglob("*.py"))
    return [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in paths]


def imported(module: str) -> set[str]:
    """Every module that `module` names in an import, ours by their full name."""
    tree = ast.parse((ROOT / Path(*module.split("."))).with_suffix(".py").read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = inside & set(modules("a2c_tf") + modules("export") + modules("serving"))
            names |= ours or {node.module or ""}
    return names


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_each_module_imports_what_it_may(module):
    ours = {name.removeprefix("a2c_tf.") for name in imported(module) if name.startswith("a2c_tf")}
    assert ours <= MAY_IMPORT[module]


@pytest.mark.parametrize("module", modules("a2c_tf") + modules("export"))
def test_nobody_imports_a_command(module):
    assert not {f"a2c_tf.{command}" for command in COMMANDS - {"plot"}} & imported(module)


@pytest.mark.parametrize("module", modules("export"))
def test_export_knows_nothing_of_the_training_loop(module):
    forbidden = {"a2c_tf.session", "a2c_tf.trainer", "a2c_tf.learner", "serving"}
    assert not any(name.startswith(tuple(forbidden)) for name in imported(module))


@pytest.mark.parametrize("module", modules("serving"))
def test_serving_imports_nothing_of_ours_nor_tensorflow(module):
    forbidden = ("a2c_tf", "export", "tensorflow", "keras", "gymnasium", "onnx.")
    assert not [name for name in imported(module) if f"{name}.".startswith(forbidden)]


def test_there_is_no_cycle():
    graph = {module: imported(module) for module in modules("a2c_tf") + modules("export")}
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"import cycle: {' -> '.join((*path, module))}"
        if module not in finished:
            for name in graph[module] & graph.keys():
                visit(name, (*path, module))
            finished.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("package", ["a2c_tf.train", "a2c_tf.evaluate", "export.__main__"])
def test_tensorflow_is_not_imported_before_it_is_used(package):
    code = f"import sys, {package}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("module", modules("a2c_tf") + modules("export"))
def test_tf_function_only_where_compilation_is_decided(module):
    if module in ("a2c_tf.train_step", "a2c_tf.evaluation") or module.startswith("export."):
        return
    tree = ast.parse((ROOT / Path(*module.split("."))).with_suffix(".py").read_text("utf-8"))
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "function"]
    assert not uses
