"""Results by the values of one or two axes: what pictures of a metric against axes show."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.grid.config_values import Missing, rank_of, show
from orchestrator.planning.sample_statistics import is_drawable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.planning.results_table import Cell, ResultsTable, Row

_ABSENT: Final = Missing()


@dataclass(frozen=True, slots=True)
class AxisLine:
    """The rows that differ only in one numeric axis, by its values in order.

    ``overrides`` are their values on the other axes.
    """

    overrides: Mapping[str, Value]
    points: tuple[tuple[float, Row], ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """The rows by their values on two axes, by place: ``rows`` at (place down, place across)."""

    down: tuple[Value | Missing, ...]
    across: tuple[Value | Missing, ...]
    rows: Mapping[tuple[int, int], Row]


def cell_in(row: Row, metric: str) -> Cell | None:
    """Return a metric of a row; None if no run has it, or if it cannot be drawn."""
    cell = row.cells.get(metric)
    return cell if cell is not None and is_drawable(cell.mean) else None


def lines_against(compared: ResultsTable, axis: str) -> list[AxisLine]:
    """Return the rows as lines over a numeric axis, in the order of the best row of each.

    Raises:
        UsageError: The rows do not have this axis, or it has a value that is not a number.
    """
    _require_axis(compared, axis, "--x")
    lines: dict[str, tuple[dict[str, Value], list[tuple[float, Row]]]] = {}
    for row in compared.rows:
        value = row.overrides.get(axis)
        if isinstance(value, bool) or not isinstance(value, int | float):
            told = "no value" if axis not in row.overrides else f"the value {show(value)}"
            raise UsageError(
                f"--x {axis}: a run has {told}, which is not a number."
                " Name a numeric axis, or leave such runs out with --where."
            )
        others = {key: given for key, given in row.overrides.items() if key != axis}
        line = lines.setdefault(json.dumps(others, sort_keys=True), (others, []))
        line[1].append((float(value), row))
    return [
        AxisLine(others, tuple(sorted(points, key=lambda point: point[0])))
        for others, points in lines.values()
    ]


def heat_of(compared: ResultsTable, down: str, across: str) -> Heat:
    """Return the rows by their values on two axes, each in the order of the values.

    Raises:
        UsageError: The rows do not have these axes, or differ in another one, too.
    """
    for axis in (down, across):
        _require_axis(compared, axis, "--heat")
    if down == across:
        raise UsageError(f"--heat {down} {across}: it is the same axis twice. Name two axes.")
    varying = varying_axes(compared.rows, compared.axes)
    others = [axis for axis in varying if axis not in (down, across)]
    if others:
        over = " ".join(f"--over {axis}" for axis in (*compared.over, *others))
        raise UsageError(
            f"--heat {down} {across}: the runs differ in {', '.join(others)}, too."
            f" Average over it with {over}, or choose a value with --where."
        )
    place_down, place_across = places_of(compared.rows, down), places_of(compared.rows, across)
    rows = {
        (place_down[identity_of(row, down)][0], place_across[identity_of(row, across)][0]): row
        for row in compared.rows
    }
    values_down, values_across = (
        tuple(value for _, value in places.values()) for places in (place_down, place_across)
    )
    return Heat(values_down, values_across, rows)


def places_of(rows: Sequence[Row], axis: str) -> dict[str, tuple[int, Value | Missing]]:
    """Return the place of each value on an axis, and the value, by its identity.

    Numbers come first, by size, then strings, then the others, such as a value that is missing.
    """
    values = {identity_of(row, axis): row.overrides.get(axis, _ABSENT) for row in rows}
    ordered = sorted(values.items(), key=lambda item: rank_of(item[1]))
    return {name: (place, value) for place, (name, value) in enumerate(ordered)}


def identity_of(row: Row, axis: str) -> str:
    """Return a string that is equal for equal values on an axis; a missing value is one, too."""
    return json.dumps(row.overrides[axis]) if axis in row.overrides else ""


def varying_axes(rows: Sequence[Row], axes: Sequence[str]) -> tuple[str, ...]:
    """Return the axes in which rows differ."""
    return tuple(axis for axis in axes if len({identity_of(row, axis) for row in rows}) > 1)


def _require_axis(compared: ResultsTable, axis: str, option: str) -> None:
    if axis not in compared.axes:
        known = (
            f"Choose one of {', '.join(compared.axes)}" if compared.axes else "They differ in none"
        )
        averaged = ", which is averaged over" if axis in compared.over else ""
        near = difflib.get_close_matches(axis, compared.axes, n=1)
        known += f". Did you mean {near[0]}?" if near else "."
        raise UsageError(f"{option} {axis}: the rows have no such axis{averaged}. {known}")
