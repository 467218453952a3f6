"""Results by axis: what pictures of a metric against axes show."""

from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.grid.config_values import label_of
from orchestrator.planning.results_by_axis import (
    cell_in,
    heat_of,
    lines_against,
    places_of,
    varying_axes,
)
from orchestrator.planning.results_table import ResultsTable, compare
from orchestrator.planning.run_results import RunResults


def table(*points: dict[str, Any], over: tuple[str, ...] = ()) -> ResultsTable:
    """Return the table of runs at these points; the loss of each is its place."""
    runs = [RunResults(values, {"loss": float(n)}) for n, values in enumerate(points)]
    return compare(runs, over)


def test_rows_that_differ_only_in_the_axis_make_a_line() -> None:
    """In the order of its values, whatever the order of the rows."""
    found = table(
        {"lr": 1.0, "m": "a"}, {"lr": 0.1, "m": "b"}, {"lr": 0.5, "m": "a"}, {"lr": 2, "m": "b"}
    )
    lines = lines_against(found, "lr")
    assert [line.overrides for line in lines] == [{"m": "a"}, {"m": "b"}]
    assert [[x for x, _ in line.points] for line in lines] == [[0.5, 1.0], [0.1, 2.0]]


@pytest.mark.parametrize("value", ["sgd", True, None, [1]])
def test_axis_with_other_values_than_numbers_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"--x lr: a run has the value .* not a number"):
        lines_against(table({"lr": value}, {"lr": 1.0}), "lr")


@pytest.mark.parametrize(("axis", "hint"), [("width", "Choose one of lr"), ("seed", "averaged")])
def test_axis_that_is_not_one_is_refused(axis: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        lines_against(table({"lr": 0.1, "seed": 0}, {"lr": 0.2, "seed": 1}), axis)


def test_null_is_another_place_than_no_value() -> None:
    """Each is an axis value of some run."""
    found = table(
        {"lr": None, "m": 1}, {"m": 1}, {"lr": 0.1, "m": 1}, {"lr": "1", "m": 1}, {"lr": 1}
    )
    values = [label_of(value) for _, value in places_of(found.rows, "lr").values()]
    assert values == ["0.1", "1", '"1"', "(absent)", "null"]


def test_heat_map_has_a_place_for_each_combination() -> None:
    """Values are in order; a combination that is not there has no row."""
    found = table({"lr": 10, "m": "b"}, {"lr": 2, "m": "a"}, {"lr": 2, "m": "b"})
    heat = heat_of(found, "lr", "m")
    assert (heat.down, heat.across) == ((2, 10), ("a", "b"))
    losses = {place: row.cells["loss"].mean for place, row in heat.rows.items()}
    assert losses == {(1, 1): 0.0, (0, 0): 1.0, (0, 1): 2.0}


def test_heat_map_of_runs_that_differ_in_more_is_refused() -> None:
    """One of them would hide the others; the message says how to average."""
    found = table({"a": 1, "b": 1, "c": 1, "seed": 0}, {"a": 1, "b": 1, "c": 2, "seed": 0})
    with pytest.raises(UsageError, match=r"differ in c, too.*--over seed --over c"):
        heat_of(found, "a", "b")
    with pytest.raises(UsageError, match="same axis twice"):
        heat_of(found, "a", "a")


def test_values_that_look_alike_have_places_of_their_own() -> None:
    """Numbers by size, then strings, then the rest; a missing value is one as well."""
    values: list[Any] = ["1", 1, 0.1234567, 0.12345671, None, True, -3]
    rows = table(*({"x": value} for value in values), {"y": 1}).rows
    places = places_of(rows, "x")
    assert [value for _, value in places.values()][:5] == [-3, 0.1234567, 0.12345671, 1, "1"]
    assert len(places) == 8


def test_axes_in_which_no_row_differs_are_left_out() -> None:
    found = table({"a": 1, "b": 1}, {"a": 1, "b": 2})
    assert varying_axes(found.rows, found.axes) == ("b",)


def test_value_that_is_not_finite_is_no_cell() -> None:
    found = compare([RunResults({}, {"loss": float("nan")})])
    assert cell_in(found.rows[0], "loss") is None
    assert cell_in(found.rows[0], "other") is None
