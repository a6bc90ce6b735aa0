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
    "a2c_tf.settings": set(),
    "a2c_tf.config": {"command_line", "settings"},
    "a2c_tf.command_line": set(),
    "a2c_tf.startup": set(),
    "a2c_tf.returns": set(),
    "a2c_tf.spaces": set(),
    "a2c_tf.distributions": {
        "distributions.base",
        "distributions.discrete",
        "distributions.gaussian",
    },
    "a2c_tf.distributions.base": {"types"},
    "a2c_tf.distributions.discrete": set(),
    "a2c_tf.distributions.gaussian": {"distributions.discrete"},
    "a2c_tf.losses": {"distributions", "returns", "types"},
    "a2c_tf.optimizers": {"settings"},
    "a2c_tf.normalization": set(),
    "a2c_tf.observations": {"normalization", "spaces", "types"},
    "a2c_tf.torsos": {"settings"},
    "a2c_tf.cores": {"settings", "torsos"},
    "a2c_tf.network_builder": {"spaces", "types"},
    "a2c_tf.networks": {
        "cores",
        "distributions",
        "network_builder",
        "normalization",
        "observations",
        "settings",
        "spaces",
        "torsos",
        "types",
    },
    "a2c_tf.forward": {"replay", "shards", "types"},
    "a2c_tf.shards": {"types"},
    "a2c_tf.replay": set(),
    "a2c_tf.precision": set(),
    "a2c_tf.unroll": {"distributions", "envs.base", "forward", "threefry", "types"},
    "a2c_tf.long_unroll": {"types", "unroll"},
    "a2c_tf.schedules": set(),
    "a2c_tf.learner": {
        "distributions",
        "forward",
        "losses",
        "normalization",
        "schedules",
        "types",
    },
    "a2c_tf.inspection": {"distributions", "learner", "losses", "types"},
    "a2c_tf.train_step": {"inspection", "learner", "long_unroll", "types", "unroll"},
    "a2c_tf.evaluation": {"envs.base", "types", "unroll"},
    "a2c_tf.atomic_files": set(),
    "a2c_tf.checkpoint_files": {"atomic_files", "command_line"},
    "a2c_tf.checkpointing": {"atomic_files", "checkpoint_files", "command_line"},
    "a2c_tf.run_dir": {"atomic_files", "config"},
    "a2c_tf.video": {"atomic_files", "config"},
    "a2c_tf.metrics": {"atomic_files", "command_line", "run_dir"},
    "a2c_tf.envs.base": {"threefry", "types"},
    "a2c_tf.envs.xla_handlers": set(),
    "a2c_tf.envs.ale": {"envs.failures", "envs.host", "envs.xla_handlers", "types"},
    "a2c_tf.envs.atari": {"envs.ale", "envs.host", "envs.vectors", "settings"},
    "a2c_tf.envs.envpool": {"envs.atari", "envs.host", "settings"},
    "a2c_tf.envs.guard": {"spaces"},
    "a2c_tf.envs.vectors": {"envs.guard"},
    "a2c_tf.envs.listing_table": {"types"},
    "a2c_tf.envs.listing": {
        "command_line",
        "config",
        "envs.atari",
        "envs.failures",
        "envs.listing_table",
        "envs.registry",
        "settings",
        "types",
    },
    "a2c_tf.envs.acrobot": {"envs.base", "envs.drawing.classic_control", "types"},
    "a2c_tf.envs.cartpole": {"envs.base", "envs.drawing.classic_control", "types"},
    "a2c_tf.envs.catch": {
        "envs.base",
        "envs.drawing.boards",
        "envs.drawing.palettes",
        "types",
    },
    "a2c_tf.envs.drawing.frames": {"command_line", "spaces"},
    "a2c_tf.envs.drawing.boards": {"envs.drawing.frames"},
    "a2c_tf.envs.drawing.palettes": {"envs.drawing.boards"},
    "a2c_tf.envs.drawing.canvas": {"envs.drawing.frames"},
    "a2c_tf.envs.drawing.classic_control": {"envs.drawing.canvas", "envs.drawing.frames"},
    "a2c_tf.envs.failures": {"command_line", "envs.guard"},
    "a2c_tf.envs.host": {
        "envs.drawing.frames",
        "envs.failures",
        "envs.guard",
        "spaces",
        "types",
    },
    "a2c_tf.envs.mountain_car": {"envs.base", "envs.drawing.classic_control", "types"},
    "a2c_tf.envs.pendulum": {"envs.base", "envs.drawing.classic_control", "types"},
    "a2c_tf.envs.minatar.board": {"envs.base", "envs.drawing.boards", "types"},
    "a2c_tf.envs.minatar.bitboard": {"envs.minatar.board"},
    "a2c_tf.envs.minatar.planes": {"envs.minatar.bitboard", "envs.minatar.board"},
    "a2c_tf.envs.minatar.asterix": {
        "envs.drawing.palettes",
        "envs.minatar.bitboard",
        "envs.minatar.board",
        "envs.minatar.planes",
    },
    "a2c_tf.envs.minatar.breakout": {
        "envs.drawing.palettes",
        "envs.minatar.bitboard",
        "envs.minatar.board",
        "envs.minatar.planes",
    },
    "a2c_tf.envs.minatar.seaquest": {
        "envs.drawing.palettes",
        "envs.minatar.bitboard",
        "envs.minatar.board",
        "envs.minatar.planes",
        "envs.minatar.seaquest_bullets",
        "envs.minatar.seaquest_divers",
        "envs.minatar.seaquest_enemies",
    },
    "a2c_tf.envs.minatar.space_invaders": {
        "envs.drawing.palettes",
        "envs.minatar.bitboard",
        "envs.minatar.board",
        "envs.minatar.planes",
    },
    "a2c_tf.envs.minatar.freeway": {
        "envs.drawing.palettes",
        "envs.minatar.bitboard",
        "envs.minatar.board",
        "envs.minatar.planes",
    },
}
COMMANDS = {"train", "evaluate", "plot", "envs.__main__"}


def modules(package: str) -> list[str]:
    """Those of a package and the packages in it; a package goes by its own name."""
    paths = sorted((ROOT / package).rglob("*.py"))
    names = (".".join(p.relative_to(ROOT).with_suffix("").parts) for p in paths)
    return [name.removesuffix(".__init__") for name in names]


OURS = frozenset(modules("a2c_tf") + modules("export") + modules("serving"))


def source(module: str) -> ast.Module:
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def imported(module: str) -> set[str]:
    """Every module that `module` names in an import, ours by their full name."""
    names: set[str] = set()
    for node in ast.walk(source(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports from {'.' * node.level}: use the full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in OURS else str(node.module))
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


def executed(module: str) -> set[str]:
    """What an import of `module` runs: all it names, and the packages around that but its own."""
    named = imported(module)
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


@pytest.mark.parametrize(
    "package", ["a2c_tf.train", "a2c_tf.evaluate", "a2c_tf.envs.__main__", "export.__main__"]
)
def test_tensorflow_is_not_imported_before_it_is_used(package):
    code = f"import sys, {package}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("module", modules("a2c_tf") + modules("export"))
def test_tf_function_only_where_compilation_is_decided(module):
    deciding = ("a2c_tf.train_step", "a2c_tf.evaluation", "a2c_tf.envs.xla_handlers")
    if module in deciding or module.startswith("export."):
        return
    uses = [
        n for n in ast.walk(source(module)) if isinstance(n, ast.Attribute) and n.attr == "function"
    ]
    assert not uses
