"""Tests of orchestrator.config.package_header, and of what is told of it."""

from pathlib import Path

import pytest

from orchestrator.config.package_header import find_misplaced
from orchestrator.planning.load import ConfigSource, load_plan


def _folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "training").mkdir()
    (tmp_path / "config.yaml").write_text(
        "defaults: [{training: single}, _self_]\nresults_dir: r\nexperiment_id: e\nlr: 1\n"
    )
    (tmp_path / "training/single.yaml").write_text("# @package _global_\n{}\n")
    (tmp_path / "training/grid.yaml").write_text(text)
    return tmp_path


GRID = "hydra: {sweeper: {params: {lr: '1,2'}}}\n"


@pytest.mark.parametrize(
    ("text", "points", "line"),
    [
        (f"# @package _global_\n{GRID}", 2, 0),
        (f"\n  # @package   _global_\n\n{GRID}", 2, 0),
        (f"# my grid\n# @package _global_\n{GRID}", 1, 2),
        (f"---\n# @package _global_\n{GRID}", 1, 2),
        (f"{GRID}# @package _global_\n", 1, 2),
    ],
)
def test_header_below_another_line_is_told(
    tmp_path: Path, text: str, points: int, line: int
) -> None:
    """Hydra ignores it without a word, and the grid in the file does nothing."""
    planned = load_plan(ConfigSource(_folder(tmp_path, text), "config", ["training=grid"]))
    assert planned.plan.selection.points == points
    said = [each for each in planned.plan.selection.warnings if "@package" in each]
    assert len(said) == bool(line)
    if said:
        assert said[0].startswith(f"{tmp_path / 'training/grid.yaml'}, line {line}: ")
        assert "Move it to the first line" in said[0]


def test_header_of_a_file_that_the_grid_does_not_use_is_not_told(tmp_path: Path) -> None:
    """It may be somebody else's."""
    folder = _folder(tmp_path, f"# my grid\n# @package _global_\n{GRID}")
    assert load_plan(ConfigSource(folder, "config", ["lr=3"])).plan.selection.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# about @package\nx: 1",
        "x: '# @package a'",
        "# see # @package foo",
        "# @package a\n# @package b",
    ],
)
def test_what_is_no_header_is_not_taken_for_one(text: str) -> None:
    """Comments may speak of packages."""
    assert not find_misplaced(text)
