"""The JSON of a run has all fields in every state."""

from orchestrator.cli.run_json import report_as_json
from orchestrator.grid.identity import RunId
from orchestrator.rundir.run_summary import Report
from orchestrator.rundir.state import (
    NOTHING_THERE,
    Observation,
    Progress,
    Record,
    Status,
    Unreadable,
)

DONE = Status(Record.DONE, 2, "then", "box", 1, ended_at="now", exit_code=0)


def report(seen: Observation) -> dict[str, object]:
    return report_as_json(Report(RunId("0" * 16), {"seed": 1}, "then", seen, seen.progress))


def test_fields_are_the_same_in_every_state() -> None:
    """A script can rely on them."""
    pending = report(NOTHING_THERE)
    assert report(Observation(DONE, attempts=2)).keys() == pending.keys()
    assert report(Observation(Unreadable("torn"), attempts=1)).keys() == pending.keys()
    assert (pending["state"], pending["started_at"], pending["iteration"]) == (
        "pending",
        None,
        None,
    )


def test_finished_run_has_its_times_and_progress() -> None:
    found = report(Observation(DONE, attempts=2, progress=Progress(5, 5, {})))
    assert (found["state"], found["attempt"], found["iteration"]) == ("done", 2, 5)
    assert (found["started_at"], found["ended_at"]) == ("then", "now")
