"""Makes rows of results for the tests of pictures."""

from __future__ import annotations

from typing import Any

from orchestrator.planning.learning_curves import Line, line_of
from orchestrator.planning.results_table import ResultsTable, Row, compare
from orchestrator.planning.run_results import RunResults

# What may stand in names and values that programs and people write.
HOSTILE = (
    "$x^2$",
    "_hidden",
    "<b>&amp;\"'",
    "\\frac{1}",
    "学習",
    "שלום",
    "a\nb\x00\x1b[31m",
    "%d {}",
    "very long " * 30,
    "",
)


def table(*points: dict[str, Any], loss: list[float] | None = None) -> ResultsTable:
    """Return the table of runs at these points; the loss of each is its place, or as given."""
    values = loss or [float(n) for n in range(len(points))]
    return compare(
        [
            RunResults(point, {"loss": value}, run_id=f"{n:016x}", path=str(n))
            for n, (point, value) in enumerate(zip(points, values, strict=True))
        ]
    )


def rows(*points: dict[str, Any]) -> tuple[Row, ...]:
    return table(*points).rows


def lines(*points: dict[str, Any], steps: int = 3) -> list[Line]:
    """Return a line per row; its value is the path of its first run plus the step."""
    found = rows(*points)
    curves = {
        run.path: {step: int(run.path) + float(step) for step in range(1, steps + 1)}
        for row in found
        for _, run in row.members
    }
    return [line_of(row, curves) for row in found]
