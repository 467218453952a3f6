"""Tests of orchestrator.cli.tables: what ``orch plan`` shows of small and of large plans."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.cli import tables
from orchestrator.cli.results_output import print_comparison
from orchestrator.grid.axes import Axis
from orchestrator.grid.config_template import ConfigTemplate
from orchestrator.grid.config_values import Value
from orchestrator.grid.point_selection import select_runs
from orchestrator.grid.points import Points
from orchestrator.planning.grid_changes import Change, Changes
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.results_table import compare
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import Observation, Record, State, Status

DONE = Observation(Status(Record.DONE, 1, "2026-01-01T00:00:00+00:00", "box", 1), attempts=1)


def _plan(seeds: int, *filters: str) -> Plan:
    """Return a plan in which the first run is done."""
    axes = [Axis("seed", tuple(range(seeds))), Axis("device", ("cpu", "cuda"))]
    whole = [ConfigTemplate({}, {}, None)]
    selection = select_runs(Points(axes), whole, lambda p: dict(p.values), filters, ["device"])
    return make_plan("digits", "results/digits", selection, {selection.runs[0].run_id: DONE})


def _printed(show: Callable[[Console], None]) -> str:
    text = io.StringIO()
    show(Console(file=text, width=200, highlight=False))
    return text.getvalue()


def test_summary_says_what_was_dropped_and_which_axes_make_duplicates() -> None:
    """The counts come first, then filters, duplicates and warnings."""
    plan = _plan(3, "seed == 2 ! seeed == 2 | seed > 1")
    assert _printed(lambda console: tables.print_summary(plan, console)).splitlines() == [
        "experiment digits  in results/digits",
        "6 points | 2 excluded | 2 duplicates | 2 runs",
        "      2 excluded by  seed == 2 ! seeed == 2 | seed > 1",
        "      2 duplicates: differ only in device",
        (
            "warning: no point has the key 'seeed' of the filter"
            " 'seed == 2 ! seeed == 2 | seed > 1'. Did you mean 'seed'?"
        ),
        "1 pending, 1 done",
    ]


def test_summary_of_an_execution_has_the_filters_that_excluded_something() -> None:
    """``orch plan`` shows what each filter dropped, be it nothing; ``orch run`` repeats only what matters."""
    plan = _plan(3, "seed == 2 ! seed > 1", "seed == 9 ! seed > 1")
    for all_filters in (True, False):
        told = _printed(lambda it: tables.print_summary(plan, it, all_filters=all_filters))  # noqa: B023 # called at once
        assert "2 excluded by  seed == 2 ! seed > 1" in told
        assert ("0 excluded by  seed == 9 ! seed > 1" in told) is all_filters


def test_few_runs_are_listed_and_many_only_on_request() -> None:
    """A plan of 10,000 runs stays readable."""
    small = _printed(lambda console: tables.print_runs(_plan(3), console, None))
    assert len(small.splitlines()) == 4
    large = _printed(lambda console: tables.print_runs(_plan(100), console, None))
    assert large == "100 runs; --all lists them, --state STATE those in a state.\n"
    asked = _printed(lambda console: tables.print_runs(_plan(100), console, set(State)))
    assert len(asked.splitlines()) == 101


@pytest.mark.parametrize(("state", "lines"), [(State.DONE, 2), (State.PENDING, 100)])
def test_runs_in_one_state_are_listed_however_many(state: State, lines: int) -> None:
    """The header is one line."""
    text = _printed(lambda console: tables.print_runs(_plan(100), console, {state}))
    assert len(text.splitlines()) == lines
    assert f" {state.value} " in text


def test_reasons_are_counted_the_most_frequent_first() -> None:
    """One line for each state, action and reason."""
    lines = _printed(lambda console: tables.print_reasons(_plan(5), console)).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["4", "pending", "run", "it", "has", "not", "run", "yet"],
        ["1", "done", "skip", "it", "has", "finished"],
    ]


def test_exclusions_are_listed_with_the_filter_that_dropped_them() -> None:
    """A point is shown by the values of its axes."""
    selection = _plan(3, "seed == 2 ! seed == 2").selection
    lines = _printed(lambda console: tables.print_exclusions(selection, console)).splitlines()
    assert [line.rstrip().split(maxsplit=2) for line in lines] == [
        ["seed", "device", "excluded by"],
        ["2", "cpu", "seed == 2 ! seed == 2"],
        ["2", "cuda", "seed == 2 ! seed == 2"],
    ]


def test_changes_say_what_is_different_now_and_in_how_many_runs() -> None:
    """The usual case, a default that was changed, is one line."""
    changed = Changes(18, 18, 2, (Change("optimizer.weight_decay", "0", "0.01", 18),))
    assert _printed(lambda console: tables.print_changes(changed, console)).splitlines() == [
        "18 runs in the folder are not in this grid:",
        "  optimizer.weight_decay 0 -> 0.01 in all 18",
        "  excluded by a filter or as a duplicate: 2 of 18",
    ]


def test_key_with_many_changes_is_told_once() -> None:
    """Twenty seeds are not twenty lines, and do not hide what else has changed."""
    seeds = tuple(Change("seed", str(seed), "0", 1) for seed in range(2, 20))
    changed = Changes(18, 18, 0, (*seeds, Change("lr", "0.1", "0.2", 4)))
    assert _printed(lambda console: tables.print_changes(changed, console)).splitlines() == [
        "18 runs in the folder are not in this grid:",
        "  seed has 18 other values in all 18",
        "  lr 0.1 -> 0.2 in 4 of 18",
    ]


def _on_80_columns(show: Callable[[Console], None]) -> str:
    text = io.StringIO()
    show(Console(file=text, width=80, force_terminal=True, color_system=None))
    assert max(map(len, text.getvalue().splitlines())) <= 80
    return text.getvalue()


def test_terminal_of_80_columns_shows_every_number_whole() -> None:
    """Names are broken at their joints, and metrics that have no room are counted."""
    axes: dict[str, Value] = {"model": "cnn10", "optimizer.lr": 0.001, "loader.batch_size": 64}
    metrics = {f"validation/metric_{number}": 0.123456 for number in range(9)}
    outcomes = [RunResults({**axes, "seed": seed}, metrics) for seed in range(2)]
    text = _on_80_columns(lambda console: print_comparison(compare(outcomes), None, console))
    shown = text.count("0.1235 ± 0")
    assert "…" not in text
    assert 1 <= shown < 9
    assert f"{9 - shown} metrics more: widen the terminal" in text


def test_plan_on_80_columns_cuts_no_id_and_no_state() -> None:
    """The reason is what gives way, between its words."""
    axes = [Axis("optimizer.weight_decay", (0.001,)), Axis("loader.batch_size", (16, 64))]
    whole = [ConfigTemplate({}, {}, None)]
    selection = select_runs(Points(axes), whole, lambda p: dict(p.values), [])
    plan = make_plan("digits", "results", selection, {})
    text = _on_80_columns(lambda console: tables.print_runs(plan, console, None))
    for run in selection.runs:
        assert f"{run.run_id[:8]}  0.001 " in text
    assert text.count("pending  run ") == 2


def test_one_run_is_told_in_the_singular() -> None:
    """And none of one, too."""
    assert [tables.say_done(0, 1), tables.say_done(1, 2)] == [
        "0 of 1 run is done",
        "1 of 2 runs are done",
    ]
    assert tables.say_nothing_to_do(1) == "Nothing to do: the only run is done."
    assert tables.say_nothing_to_do(2) == "Nothing to do: all 2 runs are done."
