"""Tests of orchestrator.config.search_dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.config.hydra_composition import ConfigFolder
from orchestrator.config.load import load_experiment
from orchestrator.config.search_dimensions import make_dimension
from orchestrator.errors import ConfigError, GridError, OrchestratorError
from orchestrator.grid.search_space import Dimension

if TYPE_CHECKING:
    from pathlib import Path

SEARCH = "+orch.search={metric: loss, points: 3}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder."""
    (tmp_path / "config.yaml").write_text("results_dir: r\nexperiment_id: e\nx: 0\nmodel: null\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(1,5)", Dimension("x", 1.0, 5.0)),
        ("int(interval(1,5))", Dimension("x", 1, 5, is_whole=True)),
        ("tag(log,interval(0.1,1))", Dimension("x", 0.1, 1.0, is_log=True)),
        ("tag(log,int(interval(1,9)))", Dimension("x", 1, 9, is_whole=True, is_log=True)),
        ("range(1,7,2)", Dimension("x", values=(1, 3, 5), is_ordered=True)),
        ("choice(a,1,true)", Dimension("x", values=("a", 1, True))),
        ("a,b", Dimension("x", values=("a", "b"))),
    ],
)
def test_sweep_of_hydra_is_an_axis_of_a_search(
    folder: Path, text: str, expected: Dimension
) -> None:
    """As Hydra's own sweepers for searches read them."""
    configs = ConfigFolder(folder, "config")
    (override,) = configs.parse([f"x={text}"])
    assert make_dimension(override, configs) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("interval(5,1)", "the interval is empty"),
        ("interval(1,1)", "the interval is empty"),
        ("tag(log,interval(0,1))", "there is no logarithm of 0"),
        ("a,a", "a value stands there twice"),
    ],
)
def test_wrong_axis_is_refused(folder: Path, text: str, why: str) -> None:
    """The override is named."""
    configs = ConfigFolder(folder, "config")
    (override,) = configs.parse([f"x={text}"])
    with pytest.raises(GridError, match=why):
        make_dimension(override, configs)


@pytest.mark.parametrize(
    ("overrides", "error", "why"),
    [
        ([SEARCH], GridError, "orch.search: no key has several values"),
        ([SEARCH, "x=1,2", "orch.zip=[[x,y]]"], ConfigError, "cannot be combined with orch.zip"),
        (
            [SEARCH, "x=1,2", "orch.grids=[{y: 1}]"],
            ConfigError,
            "cannot be combined with orch.grids",
        ),
        (["x=interval(0,1)"], GridError, "a continuous range cannot be enumerated"),
    ],
)
def test_wrong_search_is_refused(
    folder: Path, overrides: list[str], error: type[OrchestratorError], why: str
) -> None:
    """Before anything is composed."""
    with pytest.raises(error, match=why):
        load_experiment(folder, "config", overrides)


def test_search_has_an_example_where_a_point_is_needed(folder: Path) -> None:
    """Commands that read the settings need no proposal."""
    described = load_experiment(
        folder, "config", [SEARCH, "x=tag(log,interval(0.5,1))", "model=a,b"]
    )
    assert dict(described.first_point().values) == {"x": 0.5, "model": "a"}
    assert [axis.key for axis in described.axes] == ["x", "model"]
