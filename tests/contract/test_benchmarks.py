"""The benchmarks are run by hand: what they import of ours must be there all the same."""

import ast
import json
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
import json
import os
import runpy
import sys
import traceback

import torch  # once for all of them

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
for script in sys.argv[1:]:
    if os.fork() == 0:
        said = ""
        try:
            runpy.run_path(script, run_name="benchmark")
        except BaseException:
            said = traceback.format_exc()
        print(json.dumps([script, said]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """Return the traceback of each benchmark that cannot begin; each is in a fork of one process."""
    command = [sys.executable, "-c", WITHOUT_PEERS, *map(str, SCRIPTS)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(line) for line in ended.stdout.splitlines())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_benchmark_begins_where_no_peer_is_installed(said: dict[str, str], script: Path) -> None:
    """Everything but its `main()`; a peer that is missing is passed over."""
    assert said[str(script)] == ""
