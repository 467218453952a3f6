"""Tests of orchestrator.config.declared_grids; what the points are is in test_grid_templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.config.axis_combination import GridForms
from orchestrator.config.declared_grids import DeclaredGrids, declare_grids
from orchestrator.config.hydra_composition import ConfigFolder
from orchestrator.config.load import load_experiment
from orchestrator.errors import GridError
from orchestrator.grid.axes import Axis, Point
from orchestrator.grid.filter_parser import parse_condition

if TYPE_CHECKING:
    from pathlib import Path

    from hydra.core.override_parser.types import Override

WHEN = parse_condition("a == 1")


@pytest.fixture
def folder(tmp_path: Path) -> ConfigFolder:
    """Return a config folder."""
    (tmp_path / "config.yaml").write_text("a: 0\nb: 0\nc: 0\n")
    return ConfigFolder(tmp_path, "config")


def _declare(
    folder: ConfigFolder, declared: list[str], given: list[str], forms: GridForms
) -> DeclaredGrids:
    return declare_grids(folder, folder.parse(declared), folder.parse(given), forms)


def _texts(overrides: list[Override]) -> list[str]:
    return [str(item.input_line) for item in overrides]


def test_grid_without_forms_is_the_product_of_what_is_swept(folder: ConfigFolder) -> None:
    """The command line takes precedence; a single value does not span one."""
    found = _declare(folder, ["a=1,2", "b=3,4"], ["b=5", "c=6,7"], GridForms())
    assert found.span.grids == ((Axis("a", (1, 2)), Axis("c", (6, 7))),)
    assert _texts(found.choose(found.span[1])) == ["a=1", "b=5", "c=7"]


def test_each_grid_has_the_common_axes_and_its_own(folder: ConfigFolder) -> None:
    """Its own values replace common ones; a single one is an axis, so that tables show it."""
    forms = GridForms(grids=({"b": "1"}, {"a": "8,9", "+d": "1,2"}))
    found = _declare(folder, ["a=1,2"], [], forms)
    assert found.span.grids == (
        (Axis("a", (1, 2)), Axis("b", (1,))),
        (Axis("a", (8, 9)), Axis("d", (1, 2))),
    )
    assert _texts(found.choose(found.span[2])) == ["a=8", "+d=1"]


def test_point_that_is_known_by_its_values_belongs_to_the_grid_that_fits(
    folder: ConfigFolder,
) -> None:
    """A run directory has the values of its axes, but no number of a grid."""
    found = _declare(folder, [], [], GridForms(grids=({"a": "1,2"}, {"b": "1", "c": "2"})))
    assert _texts(found.choose(Point({"b": 1, "c": 2}))) == ["b=1", "c=2"]


def test_axis_that_is_unset_is_not_overridden(folder: ConfigFolder) -> None:
    """What has a condition is an axis, even with one value."""
    forms = GridForms(when={"b": WHEN, "c": WHEN}, zipped=(("b", "c"),))
    found = _declare(folder, ["a=1,2", "b=3"], ["c=4"], forms)
    axis = Axis("b", (3,), along=(Axis("c", (4,)),), when=WHEN)
    assert found.span.grids == ((Axis("a", (1, 2)), axis),)
    assert [_texts(found.choose(found.span[at])) for at in (0, 1)] == [
        ["a=1", "b=3", "c=4"],
        ["a=1"],
    ]


def test_credential_in_a_grid_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a single value, and one from the environment: both would be in run.json."""
    given = "hf_abcdefghijklmnopqrstuvwxyz012345"
    monkeypatch.setenv("FROM_OUTSIDE", given)
    for value in (given, "${oc.env:FROM_OUTSIDE}"):
        text = "results_dir: r\nexperiment_id: e\ntag: x\norch: {grids: [{tag: '" + value + "'}]}\n"
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(GridError, match="tag cannot be in a grid: it looks like a credential"):
            load_experiment(tmp_path, "config", [])
