"""Runs are halved again as they were, and not at all once they were trained to their ends."""

from pathlib import Path

import pytest

from orchestrator.cli.repeated_halving import halving_words
from orchestrator.cli.report_contents import RunFacts
from orchestrator.grid.identity import RunId
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.run_summary import Report
from orchestrator.rundir.state import PAUSED, Observation, Record, Status

TYPED = "orch.halving=loss:min:3"
RECORDS = {"done": Record.DONE, "paused": Record.INTERRUPTED, "failed": Record.FAILED}


def run(state: str, typed: str) -> RunFacts:
    """Return what is known of a run whose last attempt ended in a state."""
    run_id = RunId("0" * 16)
    reason = PAUSED if state == "paused" else ""
    status = Status(RECORDS[state], 1, "2026-11-29T10:00:00+00:00", "box", 1, reason=reason)
    report = Report(run_id, {}, "", Observation(status, attempts=1))
    return RunFacts(RunDirectory(Path("e/training", run_id)), report, {"typed": typed}, {})


@pytest.mark.parametrize(
    ("runs", "is_configured", "words"),
    [
        ([("done", TYPED), ("paused", TYPED)], False, [TYPED]),
        # Its stages were continued without, to the end of all but one.
        ([("done", ""), ("done", ""), ("paused", TYPED)], False, [TYPED]),
        ([("done", TYPED), ("done", "")], False, []),
        ([("done", TYPED), ("done", TYPED)], True, ["orch.halving=none"]),
        ([("done", "orch.halving=none"), ("failed", "orch.halving=none")], True, ["orch.halving=none"]),
        ([("done", TYPED), ("failed", ""), ("failed", "")], False, []),
        ([("paused", ""), ("done", "")], True, []),  # the config says it
    ],
)  # fmt: skip
def test_runs_are_repeated_as_they_were_compared(
    runs: list[tuple[str, str]], *, is_configured: bool, words: list[str]
) -> None:
    facts = [run(state, f"orch run seed=1 {typed}") for state, typed in runs]
    assert halving_words(facts, ["seed=1"], is_configured=is_configured) == words
    assert halving_words(facts, ["orch.halving=none"], is_configured=is_configured) == []
