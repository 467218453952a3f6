"""The table of ``orch status``, and its notes on live runs."""

import io

import pytest
from rich.console import Console

from orchestrator.cli.status_table import (
    describe_bytes,
    describe_live,
    iteration_of,
    print_status,
)
from orchestrator.execution.live_usage import UNKNOWN, LiveResources
from orchestrator.grid.identity import RunId
from orchestrator.rundir.note import Note
from orchestrator.rundir.run_metrics import Outcome
from orchestrator.rundir.run_summary import Report
from orchestrator.rundir.state import PAUSED, Observation, Progress, Record, Status


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536 << 20, "1.5 GiB"),
        (999 << 40, "999 TiB"),
    ],
)
def test_size_is_told_in_the_unit_that_reads_best(size: int, text: str) -> None:
    assert describe_bytes(size) == text


def test_live_run_tells_what_is_known() -> None:
    """On a GPU the memory is that of the GPU."""
    assert describe_live(UNKNOWN) == ""
    assert describe_live(LiveResources(0, None, 1 << 30, None, 90.0)) == "slot 0, 1 GiB, 90 s left"
    assert describe_live(LiveResources(3, 1, 5 << 30, 2 << 30)) == "slot 3, GPU 1, 2 GiB"


@pytest.mark.parametrize(
    ("progress", "step", "shown"),
    [(Progress(3, 9, {}), 7, "3/9"), (None, 7, "7"), (None, 0, "0"), (None, None, "")],
)
def test_iteration_is_the_last_step_of_a_program_without_progress(
    progress: Progress | None, step: int | None, shown: str
) -> None:
    """As of one whose metrics are read from its output."""
    seen = Observation(Status(Record.DONE, 1, "", "box", 1))
    report = Report(RunId("a" * 16), {}, "then", seen, progress, Outcome(last_step=step))
    assert iteration_of(report) == shown


@pytest.mark.parametrize(("width", "metrics"), [(80, 1), (100, 2), (200, 3)])
def test_metric_stands_in_the_table_rather_than_that_a_run_has_finished(
    width: int, metrics: int
) -> None:
    """Which its state says; why a run is stale may wrap."""
    outcome = Outcome({"validation/loss": 0.5, "test/loss": 0.25, "test/accuracy": 0.75}, {})
    overrides = {"lr": 0.1, "seed": 0, "iterations": 9}
    reports = [
        Report(RunId(name * 16), overrides, "then", seen, seen.progress, outcome)
        for name, seen in (
            ("a", Observation(Status(Record.DONE, 1, "", "box", 1), progress=Progress(9, 9, {}))),
            ("b", _paused(Status(Record.INTERRUPTED, 1, "", "box", 1, reason=PAUSED))),
        )
    ]
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    print_status(reports, console)
    text = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "it has finished" not in text
    assert [name in text for name in ("0.5", "0.25", "0.75")] == [at < metrics for at in range(3)]
    assert "paused after 3 of 9" in text


def test_axes_tell_more_than_notes_and_metrics() -> None:
    """Without them rows cannot be told apart."""
    overrides = dict.fromkeys(("lr", "depth", "width", "heads", "seed"), 12)
    seen = Observation(Status(Record.FAILED, 1, "", "box", 1))
    found = Outcome({"validation/loss": 0.5}, {})
    reports = [
        Report(RunId(2 * f"{number:08x}"), overrides, "then", seen, None, found, Note(text))
        for number, text in enumerate(("", "look at this one again"))
    ]
    output = io.StringIO()
    print_status(reports, Console(file=output, width=80))
    table = output.getvalue()
    assert "seed" in table
    assert "look at" not in table
    assert "1 metric and 1 note more: widen the terminal" in table
    output = io.StringIO()
    print_status(reports, Console(file=output, width=160))
    assert "look at this one again" in output.getvalue()


def _paused(status: Status) -> Observation:
    return Observation(status, attempts=1, progress=Progress(3, 9, {}, saved=3))


def test_paused_runs_are_not_called_stale() -> None:
    """Others were better, as with halving, or the user paused them: nothing has happened to them."""
    asked, paused = (
        Observation(Status(Record.INTERRUPTED, 1, "", "box", 1, reason=reason), attempts=1)
        for reason in (None, PAUSED)
    )
    reports = [
        Report(RunId(f"{number:016x}"), {"seed": number}, "then", seen)
        for number, seen in enumerate((asked, paused, paused))
    ]
    file = io.StringIO()
    print_status(reports, Console(file=file, width=200))
    words = [line.split()[2] for line in file.getvalue().splitlines()[1:4]]
    assert words == ["stale", "paused", "paused"]
    assert file.getvalue().endswith("1 stale, 2 paused\n")
