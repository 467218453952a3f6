"""Code blocks: whatever a reader copies from a page works, and prints what the page shows.

``python tests/docs/test_code_blocks.py [PAGE...]`` writes into the pages what is printed now.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

sys.path.append(str(Path(__file__).parent))  # for the script

from doc_pages import ROOT, Block, pages, project_of, read_blocks
from hydra.core.override_parser.overrides_parser import OverridesParser
from sandbox import Sandbox, Step, is_as_shown, read_steps, renew

from orchestrator.config.orch_settings import parse_settings
from orchestrator.grid.filter_parser import parse_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = {"console", "python", "yaml", "json"}
ONLY_READ = {"text"}


def with_code() -> list[Path]:
    """Return the pages that have code blocks; one that is missing fails in the test of links."""
    return [page for page in pages() if page.exists() and read_blocks(page)]


@pytest.mark.parametrize("page", with_code(), ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_of_a_page_work_one_after_the_other(page: Path, tmp_path: Path) -> None:
    """Files are written, commands run in their folder, and what is printed is what is shown."""
    sandbox = Sandbox(tmp_path, project_of(page))
    for block in read_blocks(page):
        assert block.language in RUN | ONLY_READ, f"line {block.line}: no known language"
        if block.remark.startswith("not run:"):
            continue
        where = f"{page.name}, line {block.line}"
        if block.file:
            sandbox.write(block)
        match block.language:
            case "console":
                for step, output, code in run_steps(block, sandbox):
                    loosely = block.remark == "loosely"
                    said = f"{where}: $ {step.command}\nprinted (exit code {code}):\n{output}"
                    if step.shown:
                        assert is_as_shown(step.shown, output, loosely=loosely), said
                    else:
                        assert code == 0, said
            case "python" if not block.file:
                output, code = sandbox.run_python(block.text)
                assert code == 0, f"{where}:\n{output}"
            case "yaml":
                check_yaml(block.text)
            case "json":
                json.loads(block.text)


def run_steps(block: Block, sandbox: Sandbox) -> Iterator[tuple[Step, str, int]]:
    """Run the commands of a block; yield each with its output and its exit code."""
    for step in read_steps(block):
        output, code = sandbox.run(step.command)
        yield step, output, code


def check_yaml(text: str) -> None:
    """Read what a config of ours may hold as the program reads it: settings, grid and filters."""
    config = OmegaConf.create(text)
    try:
        found = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException:  # it refers to what the block does not show
        found = OmegaConf.to_container(config)
    if not isinstance(found, dict):
        return
    parse_settings(found.get("orch"))
    for each in found.get("_filters") or ():
        parse_filter(str(each))
    sweeper = (found.get("hydra") or {}).get("sweeper") or {}
    params = sweeper.get("params") or {}
    OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()])


@pytest.mark.parametrize(
    ("shown", "output", "loosely", "same"),
    [
        ("a  b\n[...]\nd", "a b\nc\nc\nd", False, True),
        ("a\n[...]\nd", "a\nc", False, False),
        ("a\nb", "b\na", False, False),
        ("b 0.5\na", "a\nb 0.25\nc", True, True),
        ("b 0.5\nd", "a\nb 0.25\nc", True, False),
        ("a: 18 runs, 91 kB", "a: 18 runs, 92 kB", True, True),
        ("a: 18 runs, 91 kB", "a: 17 runs, 91 kB", True, False),
        ("took 1.5 s", "took 20 s", False, True),
        ("value 1.5", "value 2.5", False, False),
        ("a long ...", "a long line", False, True),
        ("a ... b", "a c", False, False),
    ],
)
def test_outputs_are_compared_as_the_page_says(
    shown: str, output: str, *, loosely: bool, same: bool
) -> None:
    """What is left out may be anything; what is shown must be there."""
    assert is_as_shown(shown, output, loosely=loosely) == same


def renew_page(page: Path) -> None:
    """Write the outputs of now into a page's console blocks."""
    text, renewed, end = page.read_text(encoding="utf-8"), "", 0
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), project_of(page))
        for block in read_blocks(page):
            if block.remark.startswith("not run:"):
                continue
            if block.file:
                sandbox.write(block)
            elif block.language == "python":
                sandbox.run_python(block.text)
            elif block.language == "console":
                lines = []
                for step, output, _ in run_steps(block, sandbox):
                    command = step.command.replace("\n", "\n> ")
                    lines += [f"$ {command}", *([renew(step.shown, output)] if step.shown else [])]
                start, past = block.span
                renewed += text[end:start] + "\n".join(lines) + "\n"
                end = past
    page.write_text(renewed + text[end:], encoding="utf-8")


if __name__ == "__main__":
    for each in [Path(name).resolve() for name in sys.argv[1:]] or with_code():
        renew_page(each)
