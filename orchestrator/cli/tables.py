"""The tables and summaries that commands print."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.state_colours import COLOURS
from orchestrator.cli.table_columns import (
    fit_axes,
    keys_of,
    new_table,
    print_table,
)
from orchestrator.grid.identity import short
from orchestrator.rundir.state import State
from orchestrator.rundir.state_words import PAUSED, word_of
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rich.console import Console

    from orchestrator.grid.config_diff import Difference
    from orchestrator.grid.counts_by_grid import FilterCount
    from orchestrator.grid.point_selection import Selection
    from orchestrator.planning.code_drift import Drift
    from orchestrator.planning.grid_changes import Change, Changes
    from orchestrator.planning.plan import Plan

ROWS_WITHOUT_ASKING: Final = 40
_BESIDE_AXES: Final = 48  # run, state, action, and the beginning of the reason
_OF_THE_REASON: Final = 10
_MOST_CHANGES: Final = 10
_DIGITS: Final = (4, 6, 9)
_MOST_OF_A_KEY: Final = 3


def print_runs(plan: Plan, console: Console, states: Collection[State] | None) -> None:
    """Print one line per run in these states; None: for all runs, if there are few."""
    if states is None and len(plan.decisions) > ROWS_WITHOUT_ASKING:
        console.print(
            f"{len(plan.decisions)} runs; --all lists them, --state STATE those in a state."
        )
        return
    places = plan.decisions.places(states if states is not None else tuple(State))
    shown = [plan.decisions[place] for place in places]
    axes = keys_of(decision.run.overrides for decision in shown)
    values = [it.run.overrides for it in shown]
    fitted = fit_axes(values, axes, _BESIDE_AXES, console, spare=_OF_THE_REASON)
    table = new_table("run", *fitted.headers, "state", "action", "why")
    for decision in shown:
        table.add_row(
            short(decision.run.run_id),
            *fitted.cells_of(decision.run.overrides),
            Text(word_of(decision.seen), style=COLOURS[decision.seen.state]),
            decision.action.value,
            note(decision.reason),
        )
    if shown:
        print_table(table, console)
    tell_left_out(fitted.left_out, 0, console)


def print_reasons(plan: Plan, console: Console) -> None:
    """Print the number of runs with each action and reason, the most frequent first."""
    table = new_table("runs", "state", "action", "why")
    for (state, action, reason), count in plan.decisions.count_reasons().most_common():
        table.add_row(f"{count:>4}", _state(state), action.value, note(reason))
    if plan.decisions:
        print_table(table, console)


def print_exclusions(selection: Selection, console: Console) -> None:
    """Print one line per excluded point, with the filter that excluded it."""
    axes = keys_of(exclusion.point.values for exclusion in selection.exclusions)
    values = [exclusion.point.values for exclusion in selection.exclusions]
    fitted = fit_axes(values, axes, _BESIDE_AXES, console)
    table = new_table(*fitted.headers, "excluded by")
    for exclusion in selection.exclusions:
        filter_text = Text(printable(exclusion.filter), style="cyan")
        table.add_row(*fitted.cells_of(exclusion.point.values), filter_text)
    if selection.exclusions:
        print_table(table, console)
    else:
        console.print("no point is excluded")
    tell_left_out(fitted.left_out, 0, console)


def print_changes(changes: Changes, console: Console) -> None:
    """Print how the run directories that the grid no longer names differ from it."""
    are = "is" if changes.former == 1 else "are"
    console.print(count_of(changes.former, "run"), f"in the folder {are} not in this grid:")
    everything = changes.compared == changes.former
    compared = f"{changes.former}" if everything else f"the {changes.compared} compared"
    which = f"all {changes.former}" if everything else compared
    lines = []
    told = _by_key(changes.changes)
    for key, what, runs in told[:_MOST_CHANGES]:
        where = which if runs == changes.compared else f"{runs} of {compared}"
        lines.append(
            Text.assemble("  ", (printable(key), "cyan"), printable(f" {what} in {where}"))
        )
    if changes.dropped:
        excluded = f"  excluded by a filter or as a duplicate: {changes.dropped} of {compared}"
        lines.append(Text(excluded))
    if len(told) > _MOST_CHANGES:
        lines.append(Text(f"  and {len(told) - _MOST_CHANGES} more changes"))
    for line in lines:
        console.print(line)


def _by_key(changes: Sequence[Change]) -> list[tuple[str, str, int]]:
    """Return key, change and number of runs; a key with many changes, such as a seed, is told once."""
    counts = Counter(change.key for change in changes)
    runs: Counter[tuple[str, str]] = Counter()
    for it in changes:
        what = f"{it.before} -> {it.now}"
        if counts[it.key] > _MOST_OF_A_KEY:
            what = f"has {counts[it.key]} other values"
        runs[it.key, what] += it.runs
    return [(key, what, number) for (key, what), number in runs.most_common()]


def print_summary(
    plan: Plan, console: Console, drift: Drift | None = None, *, all_filters: bool = True
) -> None:
    """Print the counts of points, exclusions, duplicates and runs of a plan, and the drift.

    ``all_filters``: list those that excluded nothing, too.
    """
    selection = plan.selection
    console.print(
        Text.assemble(
            *(("experiment ", "dim"), printable(plan.experiment_id)),
            *(("  in ", "dim"), printable(plan.directory)),
        )
    )
    parts = [
        *([count_of(len(selection.grids), "grid")] if len(selection.grids) > 1 else []),
        count_of(selection.points, "point"),
        count_of(len(selection.exclusions), "excluded", ""),
    ]
    if selection.duplicates:
        parts.append(count_of(selection.duplicates, "duplicate"))
    parts.append(count_of(len(selection.runs), "run"))
    console.print(Text(" | ".join(parts)))
    if len(selection.grids) > 1:
        print_grids(selection, console, all_filters=all_filters)
    else:
        _print_filters([it for it in selection.filters if all_filters or it.excluded], console)
    for axes, count in selection.repeats.items():
        why = f"differ only in {', '.join(axes)}" if axes else "an axis has a value twice"
        why = printable(why)
        console.print(Text(f"{count:>7} {'duplicate' if count == 1 else 'duplicates'}: {why}"))
    if selection.overlaps:
        noun = "duplicate" if selection.overlaps == 1 else "duplicates"
        console.print(f"{selection.overlaps:>7} {noun}: an earlier grid has the same run")
    for warning in selection.warnings:
        console.print(Text(printable(f"warning: {warning}"), style="yellow"))
    if plan.only:
        chosen = f"{len(plan.decisions):>7} of them selected by  "
        console.print(Text.assemble(chosen, (printable(plan.only), "cyan")))
    if len(plan.decisions):  # a search that begins has none
        paused = sum(seen.is_paused for _, seen in plan.decisions.observed())
        console.print(states_line(plan.states, paused))
    if drift is not None:
        print_drift(drift, console)


def print_grids(selection: Selection, console: Console, *, all_filters: bool = True) -> None:
    """Print the size of each of several grids, and what the filters dropped from it."""
    for number, grid in enumerate(selection.grids, 1):
        parts = [count_of(grid.points, "point"), count_of(grid.excluded, "excluded", "")]
        if grid.duplicates:
            parts.append(count_of(grid.duplicates, "duplicate"))
        parts.append(count_of(grid.runs, "run"))
        console.print(Text(f"   grid {number}: {' | '.join(parts)}"))
        _print_filters([item for item in grid.filters if item.excluded], console)
    idle = [item for item in selection.filters if not item.excluded]
    _print_filters(idle if all_filters else (), console)


def _print_filters(filters: Iterable[FilterCount], console: Console) -> None:
    for item in filters:
        console.print(
            Text.assemble(f"{item.excluded:>7} excluded by  ", (printable(item.filter), "cyan"))
        )


def print_drift(drift: Drift, console: Console) -> None:
    """Print one line if runs were made by other code or another command; nothing otherwise."""
    if drift.places:
        done, begun = "stay done", "continue with the code of now"
        what = f"They {done if drift.done.runs else begun}"
        if drift.done.runs and drift.begun.runs:
            what = f"Done runs {done}, unfinished ones {begun}"
        text = f"{drift}. {what}, unless orch run --rerun-changed starts them from nothing"
        console.print(Text(printable(text), style="yellow"))


def print_differences(
    one: str,
    other: str,
    configs: Sequence[Difference],
    outcomes: Sequence[Difference],
    console: Console,
) -> None:
    """Print the keys in which two runs differ, first of their configs, then of their outcomes."""
    table = new_table("", short(one), short(other))
    for item in (*configs, *outcomes):
        values = (item.before, item.now) if item in configs else _rounded(item)
        table.add_row(Text(printable(item.key)), *(Text(printable(value)) for value in values))
    if configs or outcomes:
        print_table(table, console)
    if not configs:
        console.print("their configs are equal")


def _rounded(item: Difference) -> tuple[str, str]:
    """Return two metrics with the digits that tell them apart."""
    with suppress(ValueError):
        before, now = float(item.before), float(item.now)
        for digits in _DIGITS:
            told = f"{before:.{digits}g}", f"{now:.{digits}g}"
            if told[0] != told[1] and all(map(isfinite, (before, now))):
                return told
    return item.before, item.now


def tell_left_out(axes: int, metrics: int, console: Console, notes: int = 0) -> None:
    """Print how many axes, metrics and notes the terminal has no room for."""
    parts = [f"{axes} {'axis' if axes == 1 else 'axes'}"] if axes else []
    parts += [count_of(metrics, "metric")] if metrics else []
    parts += [count_of(notes, "note")] if notes else []
    if parts:
        first, last = ", ".join(parts[:-1]), parts[-1]
        which = f"{first} and {last}" if first else last
        text = f"{which} more: widen the terminal, or use --json"
        console.print(Text(text, style="dim"))


def states_line(counts: Mapping[State, int], paused: int = 0) -> Text:
    """Return the number of runs in each state that has any; ``paused`` of the stale ones have paused."""
    told = [(state.value, count, COLOURS[state]) for state, count in counts.items()]
    if paused:
        at = [*counts].index(State.STALE)
        stale, count, style = told[at]
        told[at : at + 1] = (stale, count - paused, style), (PAUSED, paused, style)
    parts = [Text.assemble(f"{count} ", (word, style)) for word, count, style in told if count]
    return Text(", ").join(parts)


def note(text: str) -> Text:
    """Return a note in the style of notes."""
    return Text(printable(text), style="dim")


def _state(state: State) -> Text:
    return Text(state.value, style=COLOURS[state])


def count_of(number: int, noun: str, plural: str = "s") -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else plural}"


def pronoun_of(number: int) -> str:
    """Return the pronoun that stands for some runs."""
    return "it" if number == 1 else "them"


def say_done(done: int, number: int) -> str:
    """Return how many of some runs are done."""
    return f"{done} of {number} {'run is' if number == 1 else 'runs are'} done"


def say_nothing_to_do(number: int) -> str:
    """Return that some runs are all done."""
    are = "the only run is" if number == 1 else f"all {number} runs are"
    return f"Nothing to do: {are} done."
