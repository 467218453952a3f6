"""The notes below a picture: what its lines are, in which order, and which runs it does not show."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.results_notes import order_of
from orchestrator.cli.tables import count_of, pronoun_of
from orchestrator.planning.learning_curves import Band
from orchestrator.planning.results_by_axis import cell_in
from orchestrator.planning.run_results import is_of_test
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.metric_names import BEST
from orchestrator.rundir.state import State
from orchestrator.rundir.state_words import WORDS, word_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.cli.runs_for_results import ComparedRuns
    from orchestrator.planning.curve_scale import CurveScale
    from orchestrator.planning.learning_curves import Line
    from orchestrator.planning.results_table import ResultsTable, Row


def notes_on_curves(
    lines: Mapping[str, Sequence[Line]],
    scales: Mapping[str, CurveScale],
    compared: ResultsTable,
    found: ComparedRuns,
    band: Band,
) -> Iterator[str]:
    """Yield the notes on learning curves, the most important first.

    Args:
        lines: The lines of each metric.
        scales: The scales of the panels that some curves leave.
        compared: The table that the lines are the rows of.
        found: The runs of the table.
        band: What is drawn around the lines.
    """
    drawn = [line for each in lines.values() for line in each]
    most = max((line.runs for line in drawn), default=0)
    over = ", ".join(compared.over) or "runs"
    which = (
        "finished runs" if found.step is None else f"runs that have reached iteration {found.step}"
    )
    if most > 1:
        yield f"line: mean over {which}, which differ in {over}{_band(band)}"
    if any(point.runs < line.runs for line in drawn for point in line.points):
        yield "thin line: iterations that not all of its runs have reached"
    if open_runs := {each.run_id for line in drawn for each in line.unfinished}:
        yield f"line with an open end: a run that has not finished ({len(open_runs)} in all)"
    for metric, each in lines.items():
        if undefined := sum(line.undefined for line in each):
            told = count_of(undefined, "run")
            yield (
                f"{metric} is NaN, infinite or beyond 1e300 at some iteration in {told}: the line has a"
                " gap there"
            )
        if scale := scales.get(metric):
            told = "1 curve leaves" if scale.beyond == 1 else f"{scale.beyond} curves leave"
            yield (
                f"{metric}: {told} the panel, whose scale is that of the others; orch plot --log-y"
                " shows all"
            )
    yield from notes_on_runs(compared, found)


def notes_on_results(
    compared: ResultsTable,
    metrics: Sequence[str],
    found: ComparedRuns,
    band: Band | None = None,
    *,
    in_order: bool = True,
) -> Iterator[str]:
    """Yield the notes on a picture of results.

    Args:
        compared: The table that is drawn.
        metrics: The metrics that are drawn.
        found: The runs of the table.
        band: What bars show; None without bars.
        in_order: Whether the picture shows which row is better than another by their order.
    """
    most = max((row.with_results for row in compared.rows), default=0)
    if most > 1:
        shown = "" if band is None else _band(band).replace("band", "bar")
        over = ", ".join(compared.over) or "runs"
        yield f"mean over the runs with results, which differ in {over}{shown}"
    for metric in metrics:
        if without := sum(
            row.with_results > 0 and not _is_shown(row, metric) for row in compared.rows
        ):
            yield (
                f"{metric} is missing, NaN, infinite or beyond 1e300 in {count_of(without, 'row')} with"
                " results"
            )
        if compared.is_partial(metric):
            yield f"{metric}: some of the runs with results do not have it, and are in no mean of it"
    yield from notes_on_runs(compared, found, in_order=in_order)


def notes_on_runs(
    compared: ResultsTable, found: ComparedRuns, *, in_order: bool = True
) -> Iterator[str]:
    """Yield the order of the rows, if they are shown ``in_order``, and which runs are not among the results."""
    if in_order and len(compared.rows) > 1 and compared.sorted_by:
        yield f"order: {order_of(compared)}"
    if states := _states(found):
        yield states
    if found.others:
        those, them = count_of(found.others, "other run"), pronoun_of(found.others)
        yield f"{those} of the experiment: not of this grid, --all includes {them}"


def describe_metric(metric: str, step: int | None) -> str:
    """Return a metric with the iteration that its value is of, for the label of an axis."""
    if step is not None:
        return f"{metric} (iteration {step})"
    if metric.startswith(BEST):
        return f"{metric} (best iteration)"
    return metric if is_of_test(metric) else f"{metric} (last iteration)"


def _band(band: Band) -> str:
    match band:
        case Band.STD:
            return "; band: ± standard deviation"
        case Band.RANGE:
            return "; band: from the least to the greatest"
        case Band.NONE:
            return ""


def _is_shown(row: Row, metric: str) -> bool:
    return cell_in(row, metric) is not None


def _states(found: ComparedRuns) -> str:
    """Say how many runs have no results, in which states, and why the failed ones failed; empty: none."""
    counts = Counter(word_of(run) for run in found.runs if run.metrics is None)
    parts = []
    for word in WORDS:
        if not counts[word]:
            continue
        part = f"{counts[word]} {word}"
        if word == State.FAILED.value:
            part += f" ({_classes(found)})"
        parts.append(part)
    total = counts.total()
    verb = "has" if total == 1 else "have"
    return f"{count_of(total, 'run')} {verb} no results: {', '.join(parts)}" if parts else ""


def _classes(found: ComparedRuns) -> str:
    """Return the class of the failures; of several, with the number of each."""
    kinds: Counter[str] = Counter()
    for run in found.runs:
        if run.metrics is None and run.state is State.FAILED:
            failure = RunDirectory(Path(run.path)).observe().failure
            kinds[f"class {failure.kind}" if failure else "directory damaged"] += 1
    if len(kinds) == 1:
        return next(iter(kinds))
    return ", ".join(f"{count} of {kind}" for kind, count in kinds.most_common())
