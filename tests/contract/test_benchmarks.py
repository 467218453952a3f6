"""The benchmarks are run by hand: what they import of ours must be there all the same."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").rglob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_names_that_a_benchmark_imports_are_there(script: Path) -> None:
    """If one is moved, this test fails."""
    imports = [
        (node.module, each.name)
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    ]
    ours = [found for found in imports if found[0].partition(".")[0] in ("orchestrator", "trainer")]
    missing = [found for found in ours if not hasattr(import_module(found[0]), found[1])]
    assert missing == []


WITHOUT_PEERS = """
import importlib.util
import runpy
import sys

PEERS = ("lightning", "accelerate", "doit", "hydra_plugins")
find = importlib.util.find_spec

def find_none(name, package=None):
    if name in PEERS:
        return None
    if name.partition(".")[0] in PEERS:  # as Python does it where the package is missing
        raise ModuleNotFoundError(f"No module named {name.partition('.')[0]!r}")
    return find(name, package)

importlib.util.find_spec = find_none
sys.modules.update(dict.fromkeys(PEERS))
runpy.run_path(sys.argv[1], run_name="benchmark")
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_benchmark_begins_where_no_peer_is_installed(script: Path) -> None:
    """Everything but its `main()`; a peer that is missing is passed over."""
    command = [sys.executable, "-c", WITHOUT_PEERS, str(script)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
