"""Tests of orchestrator.grid.lazy_runs: sequences that make their items when somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.errors import IdentityError
from orchestrator.grid.axes import Axis, Point
from orchestrator.grid.identity import Concealed, RunId, identify
from orchestrator.grid.lazy_runs import Exclusions, LazyMapping, Runs, find_places, overrides_at
from orchestrator.grid.points import Points

AXES = (Axis("a", (1, 2)), Axis("b", (0, 1, 2)))
POINTS = ({"a": 1, "b": 0}, {"a": 1, "b": 2}, {"a": 2, "b": 2})
DIGESTS = [bytes.fromhex(identify({**point, "c": 3}, {}).digest) for point in POINTS]
IDS = [RunId(digest.hex()[:16]) for digest in DIGESTS]


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
    return Runs(Points(AXES), [0, 2, 5], DIGESTS, make)


def test_config_is_made_at_the_first_look_and_kept(runs: Runs, make: _Maker) -> None:
    """A million runs that nobody looks at cost two lists."""
    run = runs[1]
    assert (len(runs), run.overrides, run.run_id) == (3, POINTS[1], IDS[1])
    assert make.made == []
    assert run.config == {"a": 1, "b": 2, "c": 3}
    assert (dict(run.written), dict(run.environment)) == ({"a": 1, "b": 2, "c": "${x}"}, {"X": "3"})
    assert make.made == [{"a": 1, "b": 2}]


def test_part_of_the_runs_is_a_sequence_of_the_same_kind(runs: Runs) -> None:
    """Slices and negative places are those of any sequence."""
    assert [run.run_id for run in runs[1:]] == IDS[1:]
    assert runs[-1].overrides == {"a": 2, "b": 2}
    with pytest.raises(IndexError):
        runs[3]


def test_places_of_run_ids_are_found_among_lazy_and_plain_runs(runs: Runs) -> None:
    """Those that are not among the runs are left out."""
    wanted = [IDS[2], RunId("ff" * 8)]
    assert find_places(runs, wanted) == find_places([*runs], wanted) == {IDS[2]: 2}
    assert find_places(runs, []) == {}


def test_axis_values_need_no_run(runs: Runs, make: _Maker) -> None:
    for sequence in (runs, list(runs)):
        assert [overrides_at(sequence, at) for at in range(3)] == list(POINTS)
    assert not make.made


def test_exclusions_name_their_points_and_filters() -> None:
    """They are made in order, and in slices."""
    found = Exclusions(Points(AXES), [(1, 0), (4, 1)], ["first", "second"])
    assert [(dict(each.point.values), each.filter) for each in found] == [
        ({"a": 1, "b": 1}, "first"),
        ({"a": 2, "b": 1}, "second"),
    ]
    assert [each.filter for each in found[1:]] == ["second"]


def test_later_is_a_mapping_of_what_is_made() -> None:
    """It is made each time, and never before."""
    later = LazyMapping(lambda: {"a": 1})
    assert (dict(later), len(later), later["a"]) == ({"a": 1}, 1, 1)


X = Axis("x", (1, 2, 3))


def _planned(configs: list[dict[str, Any]], exclude: tuple[str, ...] = ()) -> Runs:
    """Return runs that are planned with x alone, and composed as ``configs`` say."""
    digests = [bytes.fromhex(identify({"x": x}, {}).digest) for x in (1, 2, 3)]

    def conceal(point: Point) -> Concealed:
        config = configs[point.values["x"] - 1]  # type: ignore[operator] # a number
        references: Mapping[Any, Any] = {("x",): 1} if config.get("x") == "secret" else {}
        return Concealed(config, config, {}, references)

    return Runs(Points([X]), list(range(3)), digests, conceal, exclude)


def test_config_that_is_not_the_planned_one_is_refused_wherever_it_is_looked_at() -> None:
    """Results would be filed under the ID of another config."""
    runs = _planned([{"x": 1}, {"x": 2, "more": 0}, {"x": 3}])
    assert runs[0].written == {"x": 1}
    for look in (lambda: dict(runs[1].written), lambda: dict(runs[1].config)):
        with pytest.raises(IdentityError, match=r"was planned, but its config now yields run"):
            look()
    assert runs[2].config == {"x": 3}


def test_what_does_not_count_may_differ() -> None:
    """Excluded keys, and credentials, of which the reference counts."""
    runs = _planned([{"x": "secret"}, {"x": 2, "when": 7}, {"x": 3}], ("when",))
    assert [dict(run.written) for run in runs] == [{"x": "secret"}, {"x": 2, "when": 7}, {"x": 3}]


def test_picked_runs_are_checked_as_well() -> None:
    """A part of a grid is made of the same runs."""
    picked = _planned([{"x": 9}, {"x": 2}, {"x": 3}]).pick([2, 0])
    assert picked[0].config == {"x": 3}
    with pytest.raises(IdentityError):
        dict(picked[1].config)
