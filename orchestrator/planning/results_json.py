"""The table of results as ``orch results --json`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.rundir.records import as_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import ResultsTable


def results_as_json(
    compared: ResultsTable,
    differences: Sequence[PairedDifference | None] | None = None,
    *,
    step: int | None = None,
) -> dict[str, object]:
    """Return the table as ``orch results --json`` prints it, with the differences if asked for."""
    to_best = differences or [None] * len(compared.rows)
    return {
        "schema": 1,
        "axes": list(compared.axes),
        "over": list(compared.over),
        "at": step,
        "sorted_by": compared.sorted_by,
        "better": compared.direction.value if compared.sorted_by else None,
        "rows": [
            {
                "overrides": dict(row.overrides),
                "runs": row.runs,
                "with_results": row.with_results,
                "states": {state.value: count for state, count in row.states.items()},
                "numbers": sorted(row.versions, key=str),
                "metrics": {
                    key: {
                        "mean": as_metric(cell.mean),
                        "std": cell.std and as_metric(cell.std),
                        "runs": cell.runs,
                    }
                    for key, cell in row.cells.items()
                    if key in compared.metrics
                },
                "run_ids": [run.run_id for _, run in row.members],
                "code": [run.code for _, run in row.members],
                "paths": [run.path for _, run in row.members],
                "notes": [str(run.note) for _, run in row.members],
                "to_the_best": difference and _difference_as_json(difference),
            }
            for row, difference in zip(compared.rows, to_best, strict=True)
        ],
    }


def _difference_as_json(difference: PairedDifference) -> dict[str, object]:
    return {
        "mean": as_metric(difference.mean),
        "half_width": difference.half_width,
        "pairs": difference.pairs,
        "common": difference.common,
    }
