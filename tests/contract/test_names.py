"""One word per thing, one thing per word: what the style of the code promises about names and sizes."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("orch", "orchestrator", "trainer")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 50
# Packages that must not import each other have a class each for what they share.
SHARED = {
    "ConfigError": "a config that its author has to correct",
    "MetricPoint": "a line of metrics.jsonl",
    "Progress": "the content of progress.json",
    "Run": "one run: a row of the grid, or what a training script reports to",
    "OrchCallback": "the callback for a framework, by the name that all of its users import",
    "Block": "the residual block of ResNet, whose name is in checkpoints and thus stays",
}


def classes() -> dict[str, list[str]]:
    """Return where each class name is defined, without leading underscores."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(str(path.relative_to(ROOT)))
    return found


def test_class_name_is_used_once() -> None:
    twice = {name: where for name, where in classes().items() if len(where) > 1}
    unexpected = {
        name: where
        for name, where in twice.items()
        if name not in SHARED
        or (name != "OrchCallback" and len({path.split("/")[0] for path in where}) < len(where))
    }
    assert not unexpected


def test_list_of_shared_names_is_complete() -> None:
    found = classes()
    assert [name for name in SHARED if name not in found] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_and_its_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = {
        node.name: length
        for node in ast.walk(ast.parse(text))
        if isinstance(node, functions)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }
    assert not long
