"""The benchmarks are run by hand: what they import of ours must be there all the same."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").rglob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_names_that_a_benchmark_imports_are_there(script: Path) -> None:
    """Whoever moves one finds out here."""
    imports = [
        (node.module, each.name)
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    ]
    ours = [found for found in imports if found[0].partition(".")[0] in ("orchestrator", "trainer")]
    missing = [found for found in ours if not hasattr(import_module(found[0]), found[1])]
    assert missing == []
