"""Tests of orchestrator.grid.lazy_runs: sequences that make their items when somebody looks."""

from __future__ import annotations

import pytest

from orchestrator.grid.axes import Axis, Point
from orchestrator.grid.identity import Concealed, RunId
from orchestrator.grid.lazy_runs import Exclusions, Later, Runs, find_places

AXES = (Axis("a", (1, 2)), Axis("b", (0, 1, 2)))
DIGESTS = [bytes([number]) * 32 for number in range(3)]


class _Maker:
    def __init__(self) -> None:
        self.made: list[dict[str, object]] = []

    def __call__(self, point: Point) -> Concealed:
        self.made.append(dict(point.values))
        return Concealed({**point.values, "c": 3}, {**point.values, "c": "${x}"}, {"X": "3"})


@pytest.fixture
def make() -> _Maker:
    return _Maker()


@pytest.fixture
def runs(make: _Maker) -> Runs:
    return Runs(AXES, [0, 2, 5], DIGESTS, make)


def test_config_is_made_at_the_first_look_and_kept(runs: Runs, make: _Maker) -> None:
    """A million runs that nobody looks at cost two lists."""
    run = runs[1]
    assert (len(runs), run.overrides, run.run_id) == (3, {"a": 1, "b": 2}, "01" * 8)
    assert make.made == []
    assert run.config == {"a": 1, "b": 2, "c": 3}
    assert (dict(run.written), dict(run.environment)) == ({"a": 1, "b": 2, "c": "${x}"}, {"X": "3"})
    assert make.made == [{"a": 1, "b": 2}]


def test_part_of_the_runs_is_a_sequence_of_the_same_kind(runs: Runs) -> None:
    """Slices and negative places are those of any sequence."""
    assert [run.run_id for run in runs[1:]] == ["01" * 8, "02" * 8]
    assert runs[-1].overrides == {"a": 2, "b": 2}
    with pytest.raises(IndexError):
        runs[3]


def test_places_of_run_ids_are_found_among_lazy_and_plain_runs(runs: Runs) -> None:
    """Those that are not among the runs are left out."""
    wanted = [RunId("02" * 8), RunId("ff" * 8)]
    assert find_places(runs, wanted) == find_places([*runs], wanted) == {"02" * 8: 2}
    assert find_places(runs, []) == {}


def test_exclusions_name_their_points_and_filters() -> None:
    """They are made in order, and in slices."""
    found = Exclusions(AXES, [(1, 0), (4, 1)], ["first", "second"])
    assert [(dict(each.point.values), each.filter) for each in found] == [
        ({"a": 1, "b": 1}, "first"),
        ({"a": 2, "b": 1}, "second"),
    ]
    assert [each.filter for each in found[1:]] == ["second"]


def test_later_is_a_mapping_of_what_is_made() -> None:
    """It is made each time, and never before."""
    later = Later(lambda: {"a": 1})
    assert (dict(later), len(later), later["a"]) == ({"a": 1}, 1, 1)
