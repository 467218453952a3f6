"""The page on states and failures: it knows every state, every class of failure and every exit code."""

from __future__ import annotations

import pytest
from doc_pages import DOCS, read_tables

from orchestrator.cli.boards import describe
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.execution.events import Stopping
from orchestrator.rundir.state import Observation, Progress, Record, State, Status
from orchestrator.runner.failure_classes import FailureKind

PAGE = DOCS / "states-and-failures.md"
TABLES = read_tables(PAGE)


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("States", {state.value for state in State}),
        ("Failures", {kind.value for kind in FailureKind}),
        ("Exit codes", {str(int(code)) for code in ExitCode}),
    ],
)
def test_table_has_a_row_for_each(heading: str, values: set[str]) -> None:
    """What the program can say is explained, and nothing else is."""
    rows = [cell.strip("` ") for row in TABLES[heading] for cell in row[0].split(",")]
    assert {*rows} == values


def test_interruption_reads_as_the_page_shows_it() -> None:
    """The block with Ctrl-C is not run; what it shows is what is said."""
    said = describe(Stopping(live=2, at_once=False), 0, 2).plain
    status, progress = Status(Record.INTERRUPTED, 1, "", "", 1), Progress(8, 20, {}, resumes=True)
    seen = Observation(status, attempts=1, progress=progress, checkpoint="a.pt")
    text = PAGE.read_text(encoding="utf-8")
    assert f"\n^C{said}\n" in text
    assert f"lr=0.1  {seen.reason}\n" in text
    assert f"(attempt 2: {seen.reason})\n" in text
