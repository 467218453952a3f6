"""The tables that commands print."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.colours import COLOURS
from orchestrator.grid.values import show
from orchestrator.planning.direction import Direction
from orchestrator.rundir.state import State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    from orchestrator.grid.config_diff import Difference
    from orchestrator.grid.selection import Selection
    from orchestrator.planning.changes import Changes
    from orchestrator.planning.comparison import Cell, ResultsTable
    from orchestrator.planning.plan import Plan
    from orchestrator.rundir.directory import Report

ROWS_WITHOUT_ASKING: Final = 40
_SHORT: Final = 8
_STATE: Final = 22  # the columns state and iteration
_STATE_AND_WHY: Final = 44
_RUNS: Final = 8
_MAY_BREAK: Final = ("why", "excluded by")
_MOST_CHANGES: Final = 10


def print_runs(plan: Plan, console: Console, states: Collection[State] | None) -> None:
    """Print a line for every run in certain states; None: for all, where they are few."""
    if states is None and len(plan.decisions) > ROWS_WITHOUT_ASKING:
        console.print(f"{len(plan.decisions)} runs; --all lists them, --state STATE some of them.")
        return
    places = plan.decisions.places(states if states is not None else tuple(State))
    shown = [plan.decisions[place] for place in places]
    axes = _axes(decision.run.overrides for decision in shown)
    table = _table("run", *axes, "state", "action", "why", console=console)
    for decision in shown:
        table.add_row(
            decision.run.run_id[:_SHORT],
            *_values(decision.run.overrides, axes),
            _state(decision.seen.state),
            decision.action.value,
            _note(decision.reason),
        )
    if shown:
        console.print(table)


def print_reasons(plan: Plan, console: Console) -> None:
    """Print how many runs there are for every action and reason, the most frequent first."""
    table = _table("runs", "state", "action", "why", console=console)
    for (state, action, reason), count in plan.decisions.count_reasons().most_common():
        table.add_row(f"{count:>4}", _state(state), action.value, _note(reason))
    if plan.decisions:
        console.print(table)


def print_exclusions(selection: Selection, console: Console) -> None:
    """Print a line for every point that was dropped, with the filter that did it."""
    axes = _axes(exclusion.point.values for exclusion in selection.exclusions)
    table = _table(*axes, "excluded by", console=console)
    for exclusion in selection.exclusions:
        filter_text = Text(printable(exclusion.filter), style="cyan")
        table.add_row(*_values(exclusion.point.values, axes), filter_text)
    console.print(table if selection.exclusions else "no point is excluded")


def print_changes(changes: Changes, console: Console) -> None:
    """Print what became of run directories that the grid no longer names."""
    console.print(_count(changes.former, "run"), "in the folder are not in this grid:")
    everything = changes.compared == changes.former
    which = f"all {changes.former}" if everything else f"the {changes.compared} looked at"
    lines = []
    for change in changes.changes[:_MOST_CHANGES]:
        where = which if change.runs == changes.compared else f"{change.runs} of {which}"
        what = f" {change.before} -> {change.now} in {where}"
        lines.append(Text.assemble("  ", (printable(change.key), "cyan"), printable(what)))
    if changes.dropped:
        kept_out = f"  kept out by a filter or as a duplicate: {changes.dropped} of {which}"
        lines.append(Text(kept_out))
    if len(changes.changes) > _MOST_CHANGES:
        lines.append(Text(f"  and {len(changes.changes) - _MOST_CHANGES} more changes"))
    for line in lines:
        console.print(line)


def print_summary(plan: Plan, console: Console) -> None:
    """Print what a plan amounts to, and what was left out of it."""
    selection = plan.selection
    console.print(
        Text.assemble(
            *(("experiment ", "dim"), printable(plan.experiment_id)),
            *(("  in ", "dim"), printable(plan.directory)),
        )
    )
    parts = [_count(selection.points, "point"), _count(len(selection.exclusions), "excluded", "")]
    if selection.duplicates:
        parts.append(_count(selection.duplicates, "duplicate"))
    parts.append(_count(len(selection.runs), "run"))
    console.print(Text(" | ".join(parts)))
    for item in selection.filters:
        console.print(
            Text.assemble(f"{item.excluded:>7} excluded by  ", (printable(item.filter), "cyan"))
        )
    for axes, count in selection.repeats.items():
        why = f"differ only in {', '.join(axes)}" if axes else "an axis has a value twice"
        why = printable(why)
        console.print(Text(f"{count:>7} {'duplicate' if count == 1 else 'duplicates'}: {why}"))
    for warning in selection.warnings:
        console.print(Text(printable(f"warning: {warning}"), style="yellow"))
    if plan.only:
        chosen = f"{len(plan.decisions):>7} of them chosen by  "
        console.print(Text.assemble(chosen, (printable(plan.only), "cyan")))
    console.print(_states(plan.states))


def print_status(reports: Sequence[Report], console: Console, *, everything: bool) -> None:
    """Print a line for every run directory, and how many are in each state.

    Of many, only those that are neither done nor pending, unless ``everything`` is asked for.
    """
    shown = reports
    if not everything and len(reports) > ROWS_WITHOUT_ASKING:
        quiet = (State.DONE, State.PENDING)
        shown = [report for report in reports if report.seen.state not in quiet]
        shown = shown[:ROWS_WITHOUT_ASKING]
    axes = _axes(report.overrides for report in shown)
    over = all(report.seen.state is State.DONE for report in shown)
    saved_metrics = [report.outcome.metrics for report in shown]
    all_metrics = _axes(saved_metrics)
    cells = {key: [_value(found.get(key, "")) for found in saved_metrics] for key in all_metrics}
    taken = _SHORT + _width((report.overrides for report in shown), axes, console)
    metrics = _fit(cells, taken + (_STATE if over else _STATE_AND_WHY), console)
    table = _table(
        "run", *axes, "state", "iteration", *metrics, *([] if over else ["why"]), console=console
    )
    for report in shown:
        saved = report.seen.progress
        table.add_row(
            report.run_id[:_SHORT],
            *_values(report.overrides, axes),
            _state(report.seen.state),
            f"{saved.iteration}/{saved.iterations}" if saved else "",
            *_values(report.outcome.metrics, metrics),
            *([] if over else [_note(report.seen.reason)]),
        )
    if shown:
        console.print(table)
    _tell_left_out(len(all_metrics) - len(metrics), console)
    if len(shown) < len(reports):
        those = (
            f"{len(shown)} of {len(reports)} runs are shown" if shown else f"{len(reports)} runs"
        )
        console.print(f"{those}; --all lists them.")
    counts = Counter(report.seen.state for report in reports)
    console.print(_states({state: counts[state] for state in State}))


def print_differences(
    one: str,
    other: str,
    configs: Sequence[Difference],
    outcomes: Sequence[Difference],
    console: Console,
) -> None:
    """Print the keys in which two runs differ, their configs first, then what came of them."""
    table = _table("", one[:_SHORT], other[:_SHORT], console=console)
    for item in (*configs, *outcomes):
        key, values = Text(printable(item.key)), (item.before, item.now)
        table.add_row(key, *(Text(printable(value)) for value in values))
    if configs or outcomes:
        console.print(table)
    if not configs:
        console.print("their configs are the same")


def print_comparison(compared: ResultsTable, console: Console) -> None:
    """Print a row for the runs that differ in nothing but what is averaged over."""
    first = [compared.sorted_by] if compared.sorted_by else []
    ordered = list(dict.fromkeys([*first, *compared.metrics]))
    texts = {
        key: [_cell(row.cells[key]) for row in compared.rows if key in row.cells] for key in ordered
    }
    taken = _width((row.overrides for row in compared.rows), compared.axes, console) + _RUNS
    metrics = _fit(texts, taken, console)
    table = _table(*compared.axes, "runs", *metrics, console=console)
    for row in compared.rows:
        all_there = row.runs == row.with_results
        runs = f"{row.runs}" if all_there else f"{row.with_results} of {row.runs}"
        cells = (row.cells.get(metric) for metric in metrics)
        table.add_row(
            *_values(row.overrides, compared.axes),
            Text(runs, style="" if all_there else "yellow"),
            *("-" if cell is None else _cell(cell) for cell in cells),
        )
    console.print(table)
    _tell_left_out(len(ordered) - len(metrics), console)
    over = f"mean ± standard deviation over {', '.join(compared.over)}" if compared.over else ""
    console.print(_note(", ".join(part for part in (over, _order(compared)) if part)))
    if mixed := sum(len(row.versions) > 1 for row in compared.rows):
        told = f"{_count(mixed, 'row')} of runs whose trainers compute different numbers"
        console.print(Text(f"{told}; --json tells which", style="yellow"))


def _order(compared: ResultsTable) -> str:
    """Say in which order the rows stand."""
    if not compared.sorted_by:
        return "no run has results yet"
    if compared.direction is Direction.UNKNOWN:
        return f"largest {compared.sorted_by} first: its name does not say which is better"
    return f"best {compared.sorted_by} first"


def _cell(cell: Cell) -> str:
    return f"{cell.mean:.4g}" if cell.std is None else f"{cell.mean:.4g} ± {cell.std:.2g}"


def _table(*headers: str, console: Console) -> Table:
    from rich.table import Table  # noqa: PLC0415 # large plans show no table, and need not wait for it

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        # Of a line that is too long, the reason is what may be broken; a number never is.
        is_text = header in _MAY_BREAK
        table.add_column(Text(_header(header, console)), no_wrap=not is_text, overflow="ellipsis")
    return table


def _header(name: str, console: Console) -> str:
    """Break a long name where it has joints; in a file it stays one word."""
    name = printable(name)
    return re.sub(r"([/._])(?=.)", r"\1\n", name) if console.is_terminal else name


def _fit(columns: Mapping[str, Sequence[str]], taken: int, console: Console) -> list[str]:
    """Return the first of some columns, as many as there is room for beside what is taken."""
    fitting: list[str] = []
    for name, cells in columns.items():
        taken += 2 + max(map(len, (*_header(name, console).split("\n"), *cells)), default=0)
        if taken > console.width:
            break
        fitting.append(name)
    return fitting


def _width(rows: Iterable[Mapping[str, object]], axes: Sequence[str], console: Console) -> int:
    """Return how many characters the columns of some axes take, with the gaps between them."""
    columns: dict[str, list[int]] = {
        axis: [max(map(len, _header(axis, console).split("\n")))] for axis in axes
    }
    for values in rows:
        for axis, text in zip(axes, _values(values, axes), strict=True):
            columns[axis].append(len(text))
    return sum(2 + max(lengths) for lengths in columns.values())


def _tell_left_out(left_out: int, console: Console) -> None:
    if left_out:
        text = f"{_count(left_out, 'metric')} more: widen the terminal, or use --json"
        console.print(Text(text, style="dim"))


def _axes(overrides: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the keys that any of the runs has, in the order they are met."""
    return list(dict.fromkeys(key for values in overrides for key in values))


def _values(overrides: Mapping[str, object], axes: Sequence[str]) -> list[Text]:
    # Texts: in a string, rich would take [red] for a colour.
    return [Text(printable(_value(overrides[axis])) if axis in overrides else "") for axis in axes]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else show(value)


def _states(counts: Mapping[State, int]) -> Text:
    parts = [Text.assemble(f"{counts[state]} ", _state(state)) for state in counts if counts[state]]
    return Text(", ").join(parts)


def _note(text: str) -> Text:
    return Text(printable(text), style="dim")


def _state(state: State) -> Text:
    return Text(state.value, style=COLOURS[state])


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
