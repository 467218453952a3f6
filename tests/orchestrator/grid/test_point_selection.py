"""Tests of orchestrator.grid.point_selection."""

from typing import Any

import pytest

from orchestrator.errors import FilterError, IdentityError
from orchestrator.grid.axes import Axis, Point, describe_briefly, describe_point
from orchestrator.grid.config_template import ConfigTemplate
from orchestrator.grid.counts_by_grid import FilterCount
from orchestrator.grid.point_selection import select_runs
from orchestrator.grid.points import Points


def _select(axes: Any, filters: Any = (), exclude: Any = (), resolve: Any = None) -> Any:
    """Select the runs of a grid in which each point has to be resolved by itself."""
    grid = [Axis(key, values) for key, values in axes.items()]
    resolve = resolve or (lambda point: dict(point.values))
    return select_runs(Points(grid), [ConfigTemplate({}, {}, None)], resolve, filters, exclude)


def test_every_point_becomes_a_run_a_duplicate_or_an_exclusion() -> None:
    """The three counts add up to the number of points."""
    found = _select({"a": (1, 1, 2), "b": (1, 2, 3)}, ["b == 3 ! a == a"])
    assert (found.points, len(found.runs), found.duplicates, len(found.exclusions)) == (9, 4, 2, 3)
    assert [dict(run.overrides) for run in found.runs] == [
        {"a": 1, "b": 1},
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"a": 2, "b": 2},
    ]


def test_point_that_several_filters_drop_counts_for_the_first() -> None:
    """The counts of all filters add up to the exclusions."""
    found = _select({"a": (1, 2, 3)}, ["a > 1 ! a > 0", "a > 0 ! a > 2"])
    assert found.filters == (FilterCount("a > 1 ! a > 0", 2), FilterCount("a > 0 ! a > 2", 0))
    assert [exclusion.filter for exclusion in found.exclusions] == ["a > 1 ! a > 0"] * 2
    assert [dict(exclusion.point.values) for exclusion in found.exclusions] == [{"a": 2}, {"a": 3}]


def test_filter_that_stands_twice_is_listed_once() -> None:
    """The same text counts once; the second can never drop anything."""
    assert _select({"a": (1, 2)}, ["a == 1 ! a == 1"] * 2).filters == (
        FilterCount("a == 1 ! a == 1", 1),
    )


def test_first_of_equal_points_is_the_run() -> None:
    """Duplicates are told by what they resolve to, not by their values."""
    found = _select({"a": (1, 2), "device": ("cpu", "cuda")}, exclude=["device"])
    assert [dict(run.overrides) for run in found.runs] == [
        {"a": 1, "device": "cpu"},
        {"a": 2, "device": "cpu"},
    ]
    assert found.duplicates == 2


def test_values_that_are_the_same_number_are_one_run() -> None:
    """1 and 1.0 are the same run, true and 1 are not."""
    assert len(_select({"a": (1, 1.0, True)}).runs) == 2


def test_key_that_no_point_has_is_reported_with_the_nearest_one() -> None:
    """A misspelt key would otherwise make its filter do nothing, in silence."""
    found = _select({"batch_size": (16, 32)}, ["batchsize < 32 ! batch_size > 1"])
    assert found.warnings == (
        (
            "no point has the key 'batchsize' of the filter 'batchsize < 32 ! batch_size > 1'."
            " Did you mean 'batch_size'?"
        ),
    )
    assert len(found.runs) == 2


def test_text_without_quotation_marks_is_reported_as_a_key_that_no_point_has() -> None:
    """The usual slip, a name without quotes, gets its own hint."""
    (warning,) = _select({"model": ("mlp",)}, ["model == Xyzzy ! model == model"]).warnings
    assert "'Xyzzy'" in warning
    assert "put it in quotes" in warning


def test_key_that_only_some_points_have_is_no_misspelling() -> None:
    """One model's own key may be filtered on."""
    resolve = lambda point: {"width": 1} if point.values["a"] == 2 else {"depth": 1}  # noqa: E731
    found = _select({"a": (1, 2)}, ["width == 1 ! width > 0"], resolve=resolve)
    assert found.warnings == ()
    assert len(found.exclusions) == 1


def test_key_that_only_an_excluded_point_has_is_no_misspelling() -> None:
    """The points that are dropped count as well."""
    resolve = lambda point: {"a": point.values["a"], **({"b": 1} if point.values["a"] else {})}  # noqa: E731
    found = _select({"a": (0, 1)}, ["a == 1 ! a == 1", "b == 2 ! a == 1"], resolve=resolve)
    assert found.warnings == ()


def test_type_clash_names_the_filter_the_place_and_the_point() -> None:
    """The user sees all three."""
    with pytest.raises(FilterError) as refusal:
        _select({"lr": (0.1, "auto"), "seed": (0, 1)}, ["lr > 0 ! seed == 1"])
    assert str(refusal.value) == (
        'filter, character 4: lr: "auto" and 0 have no order.\n'
        "    lr > 0 ! seed == 1\n"
        "       ^\n"
        "    at the point lr=auto seed=0"
    )


def test_type_clash_at_a_point_that_an_earlier_filter_drops_does_not_matter() -> None:
    """Filters apply in order: what is gone is not looked at again."""
    found = _select({"lr": (0.1, "auto")}, ['lr == "auto" ! lr == lr', "lr > 1 ! lr > 1"])
    assert len(found.runs) == 1


def test_value_without_a_stable_form_does_not_matter_at_a_point_that_is_dropped() -> None:
    """Only runs need an ID."""
    filters = ['name == "open" ! name == "open"']
    resolve = lambda point: {  # noqa: E731
        "name": point.values["name"],
        "limit": float("inf") if point.values["name"] == "open" else 1,
    }
    assert len(_select({"name": ("open", "closed")}, filters, resolve=resolve).runs) == 1
    with pytest.raises(IdentityError, match="limit: inf has no stable form"):
        _select({"name": ("open", "closed")}, resolve=resolve)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "the only point"),
        ({"model": "mlp", "seed": 0}, "model=mlp seed=0"),
        ({"a": None, "b": True, "c": 0.5, "d": [1, 2]}, "a=null b=true c=0.5 d=[1, 2]"),
    ],
)
def test_point_is_described_as_overrides_are_written(values: Any, text: str) -> None:
    """A point can be copied back to the command line."""
    assert describe_point(Point(values).values) == text


def test_keys_that_end_alike_keep_their_whole_names_in_brief() -> None:
    """Of the others the last part is enough."""
    values = {"optimizer.lr": 0.1, "scheduler.lr": 0.2, "model.width": 8, "seed": 1}
    assert describe_briefly(values) == "optimizer.lr=0.1 scheduler.lr=0.2 width=8 seed=1"
