"""The notes below a table of results: what its numbers are, in which order, and what it lacks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.results_formats import TO_THE_BEST
from orchestrator.cli.tables import count_of
from orchestrator.grid.identity import short
from orchestrator.planning.metric_direction import Direction
from orchestrator.planning.run_results import is_of_test
from orchestrator.rundir.metric_names import BEST
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.planning.paired_difference import PairedDifference
    from orchestrator.planning.results_table import ResultsTable

HOW_TO_REPORT: Final = (
    "orch.current().log() in a program reports them, and orch.metrics_from_output reads them from what"
    " it prints"
)
PARTIAL: Final = "1 of 2 behind a metric: the other runs with results do not have it"


def notes_on_table(
    compared: ResultsTable,
    differences: Sequence[PairedDifference | None] | None,
    step: int | None,
) -> Iterator[str]:
    """Yield what the numbers are: averaged over what, in which order, of which iteration.

    Args:
        compared: The table.
        differences: The difference of each row to the best one; None: not asked for.
        step: The iteration of the metrics; None: the end.
    """
    is_mean = compared.metrics and any(len(row.members) > 1 for row in compared.rows)
    over = ", ".join(compared.over)
    parts = [f"mean ± standard deviation over {over}"] if over and is_mean else []
    yield ", ".join([*parts, order_of(compared, step)])
    if told := iterations_of(compared, step):
        yield told
    if any(map(compared.is_partial, compared.metrics)):
        yield PARTIAL
    if differences:
        by = ", ".join(compared.over) or "seed"
        is_interval = any(each and each.half_width is not None for each in differences)
        told = (
            "± half of the 95 % confidence interval" if is_interval else "one pair has no interval"
        )
        yield f"{TO_THE_BEST}: paired by {by}, {told}"
        if any(each and each.pairs < each.common for each in differences):
            yield "2 of 3: of the pairs, the others have a value that is NaN or infinite"


def warnings_of(compared: ResultsTable) -> Iterator[str]:
    """Yield what is wrong with the numbers."""
    if mixed := sum(len(row.versions) > 1 for row in compared.rows):
        told = f"{count_of(mixed, 'row')} of runs whose trainers compute different numbers"
        yield f"{told}; --json shows which"
    if refused := [run for row in compared.rows for _, run in row.members if run.refused]:
        first, *others = refused
        told = f"{' and '.join(first.refused)} of run {short(first.run_id)}"
        told += f", and files of {count_of(len(others), 'other run')}," if others else ""
        yield f"{told} cannot be read, so values are missing"


def iterations_of(compared: ResultsTable, step: int | None) -> str:
    """Return which iterations the metrics are of; empty if all are of the last one."""
    if step is not None:
        return f"all metrics are those of iteration {step}" if compared.metrics else ""
    best = [metric for metric in compared.metrics if metric.startswith(BEST)]
    tested = [metric for metric in compared.metrics if is_of_test(metric)]
    if best:
        return f"{BEST}... and test/... are of the best iteration, all others of the last one"
    if not tested or not _is_best_known(compared):  # which is not among the columns
        return ""
    others = ", all others of the last one" if len(tested) < len(compared.metrics) else ""
    return f"test/... are of the best iteration{others}"


def _is_best_known(compared: ResultsTable) -> bool:
    runs = (run for row in compared.rows for _, run in row.members)
    return any(key.startswith(BEST) for run in runs for key in run.metrics or ())


def describe_lack(compared: ResultsTable) -> str:
    """Say why no run has results at its end; of a run that is done, none will come."""
    states: Counter[State] = Counter()
    for row in compared.rows:
        states.update(row.states)
    done, failed = states[State.DONE], states[State.FAILED]
    if failed and failed == states.total():
        who = "the only run has failed" if failed == 1 else f"all {failed} runs have failed"
        return f"{who}: orch status says why, and orch run starts failed runs again"
    if not done:
        but = f", and {count_of(failed, 'run')} failed: orch status says why" if failed else ""
        return f"no run has results yet{but}"
    who = "1 run is done and reports" if done == 1 else f"{done} runs are done and report"
    others = "" if states.total() == done else ", and no other run has results yet"
    return f"{who} no metrics{others}: {HOW_TO_REPORT}"


def _describe_lack_at(step: int) -> str:
    return (
        f"no run has metrics of iteration {step}: --at common finds the last that all have reached"
    )


def order_of(compared: ResultsTable, step: int | None = None) -> str:
    """Return a description of the order of the rows, or why there are no results.

    Args:
        compared: The table.
        step: The iteration of the metrics; None: the end.
    """
    if not compared.sorted_by:
        if not compared.metrics:
            return describe_lack(compared) if step is None else _describe_lack_at(step)
        return "in the order of the grid: --sort METRIC sorts by a metric of the test set"
    least = compared.direction is Direction.LESS
    order = f"{'smallest' if least else 'largest'} {compared.sorted_by} first"
    if compared.direction is Direction.UNKNOWN:
        return f"{order}: its name does not tell whether less or more is better"
    return order
