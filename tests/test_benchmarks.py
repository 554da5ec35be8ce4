"""The scripts in `benchmarks`: what they import of each other, and what they count."""

import ast
import importlib
import pathlib

import pandas as pd
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "benchmarks"
TREES = {path.stem: ast.parse(path.read_text()) for path in FOLDER.glob("*.py")}


def bound_by(tree):
    """The names that a module's statements bind, outside functions and classes."""
    names, left = set(), list(tree.body)
    while left:
        node = left.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {a.asname or a.name.split(".")[0] for a in node.names}
        else:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            left += ast.iter_child_nodes(node)
    return names


@pytest.mark.parametrize("name", sorted(TREES))
def test_what_a_script_takes_of_another_one_is_there(name):
    tree = TREES[name]
    taken = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in TREES
        for alias in node.names
    }
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in TREES
    }
    taken |= {
        (modules[node.value.id], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
    }
    assert {
        (m, what) for m, what in taken if what not in bound_by(TREES[m])
    } == set()


def test_imputers_are_compared_on_the_gaps_that_both_filled(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    counts = importlib.import_module("imputation")._counts
    rows = [
        {"set": "iris", "rate": 0.1, "seed": s, "method": m, "rmse": r}
        for m, errors in {"kgen": [0.4], "mean": [0.3, 0.9, 0.9]}.items()
        for s, r in enumerate(errors)
    ]
    for lower_is_better, count in ((True, "0 of 1"), (False, "1 of 1")):
        found = counts(pd.DataFrame(rows), "rmse", lower_is_better)
        assert found == {"mean": count}
