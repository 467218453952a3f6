"""The tables that ``orch plan`` and ``orch status`` print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from orchestrator.board import COLOURS, describe_metrics
from orchestrator.filters import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from orchestrator.grid import Value
    from orchestrator.plan import Plan
    from orchestrator.rundir import Report
    from orchestrator.state import State

ROWS_WITHOUT_ASKING: Final = 40
_SHORT: Final = 8


def print_plan(plan: Plan, console: Console, *, every_run: bool) -> None:
    """Print the summary of a plan, and its runs where they are few or all are asked for."""
    print_summary(plan, console)
    if not every_run and len(plan.decisions) > ROWS_WITHOUT_ASKING:
        console.print(f"{len(plan.decisions)} runs; --all lists them.")
        return
    axes = _axes(decision.run.overrides for decision in plan.decisions)
    table = _table("run", *axes, "state", "action", "why", console=console)
    for decision in plan.decisions:
        table.add_row(
            decision.run.run_id[:_SHORT],
            *_values(decision.run.overrides, axes),
            _state(decision.seen.state),
            decision.action.value,
            Text(decision.reason, style="dim"),
        )
    if plan.decisions:
        console.print(table)


def print_summary(plan: Plan, console: Console) -> None:
    """Print what a plan amounts to, and what was left out of it."""
    selection = plan.selection
    console.print(
        Text.assemble(("experiment ", "dim"), plan.experiment_id, ("  in ", "dim"), plan.directory)
    )
    parts = [_count(selection.points, "point"), _count(len(selection.exclusions), "excluded", "")]
    if selection.duplicates:
        parts.append(_count(selection.duplicates, "duplicate"))
    parts.append(_count(len(selection.runs), "run"))
    console.print(Text(" | ".join(parts)))
    for item in selection.filters:
        console.print(Text.assemble(f"{item.excluded:>7} excluded by  ", (item.filter, "cyan")))
    for warning in selection.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    states = [
        Text.assemble(f"{count} ", _state(state)) for state, count in plan.states.items() if count
    ]
    if states:
        console.print(Text(", ").join(states))


def print_status(reports: Sequence[Report], console: Console) -> None:
    """Print a line for every run directory."""
    axes = _axes(report.overrides for report in reports)
    table = _table("run", *axes, "state", "iteration", "metrics", "why", console=console)
    for report in reports:
        seen = report.seen
        saved = seen.progress
        table.add_row(
            report.run_id[:_SHORT],
            *_values(report.overrides, axes),
            _state(seen.state),
            f"{saved.iteration}/{saved.iterations}" if saved else "",
            describe_metrics(saved),
            Text(seen.reason, style="dim"),
        )
    console.print(table)


def _table(*headers: str, console: Console) -> Table:
    style = box.SIMPLE_HEAD if console.is_terminal else None
    table = Table(box=style, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ellipsis")
    return table


def _axes(overrides: Iterable[Mapping[str, Value]]) -> list[str]:
    """Return the axes that any of the runs has, in the order they are met."""
    return list(dict.fromkeys(key for values in overrides for key in values))


def _values(overrides: Mapping[str, Value], axes: Sequence[str]) -> list[str]:
    return [_value(overrides[axis]) if axis in overrides else "" for axis in axes]


def _value(value: Value) -> str:
    return value if isinstance(value, str) else show(value)


def _state(state: State) -> Text:
    return Text(state.value, style=COLOURS[state])


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
