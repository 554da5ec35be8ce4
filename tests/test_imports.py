"""Imports run one way: from the ground up, never back."""

import ast
import pathlib

import pytest

import kgen

ROOT = pathlib.Path(kgen.__file__).parent
LEVELS = [
    {"caches", "errors", "interrupts", "names", "registry", "terminal"},
    {"files", "params"},
    {"damage", "locks"},
    {"arrays", "parallel"},
    {"tables"},
    {"frames", "losses"},
    {"priors"},
    {"layers", "export", "optimizers"},
    {"networks", "densities"},
    {"models"},
    {"data", "metrics", "plots"},
    {"extractors"},
    {"evaluation"},
    {"callbacks", "hypermodels"},
    {"sklearn"},
    {"comparison", "runs"},
    {"studies"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}


def part_of(module):
    """`kgen.models.vae` belongs to `models`."""
    parts = module.split(".")
    return parts[1] if parts[0] == "kgen" and len(parts) > 1 else None


def imported_parts(source):
    """The parts of kgen that a source imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "kgen":
            modules = [f"kgen.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        yield from filter(None, map(part_of, modules))


def backward(part, source):
    """What `part` imports from above itself."""
    return {
        other
        for other in imported_parts(source)
        if other in LEVEL and other != part and LEVEL[other] >= LEVEL[part]
    }


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_import_runs_backwards(path):
    module = path.relative_to(ROOT).with_suffix("").parts
    if module == ("__init__",):
        return
    assert module[0] in LEVEL, "a new part: give it a level here"
    assert not backward(module[0], path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "from kgen.cli import main",
        "from kgen import runs",
        "import kgen.models.vae",
        "def f():\n    from kgen.models import VAE",
    ],
)
def test_the_check_sees_a_backward_import(source):
    assert backward("losses", source)
