"""The page on states and failures: it knows every state, every class of failure and every exit code."""

from __future__ import annotations

import pytest
from doc_pages import DOCS, read_tables

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.rundir.state import State
from orchestrator.runner.failure_classes import FailureKind

TABLES = read_tables(DOCS / "states-and-failures.md")


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
