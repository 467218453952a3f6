"""Which runs may be started again from nothing, and which are left as they are."""

from pathlib import Path

from orchestrator.cli.replace_runs import find_held
from orchestrator.grid.identity import identify
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Observation, Record, Status

DONE, STALE = (
    Observation(Status(record, 1, now(), "box", 1)) for record in (Record.DONE, Record.RUNNING)
)
LIVE = Observation(Status(Record.RUNNING, 1, now(), "box", 1), locked=True)
DAMAGED = Observation(damage="run.lock: it is not a lock file")
RUNS = [identify({"lr": lr}, {"lr": lr}) for lr in range(4)]


def test_live_and_damaged_runs_are_held(tmp_path: Path) -> None:
    """With the reason; the others are not, whatever their state."""
    experiment = ExperimentDirectory(tmp_path, "e")
    observed = (DONE, STALE, LIVE, DAMAGED)
    seen = {run.run_id: it for run, it in zip(RUNS, observed, strict=True)}
    held = find_held(experiment, seen)
    assert [*held] == [RUNS[2].run_id, RUNS[3].run_id]
    assert "its process lives" in held[RUNS[2].run_id]


def test_unfinished_runs_are_held_while_another_orchestrator_may_start_them(tmp_path: Path) -> None:
    """Those that are done are not: it will skip them."""
    experiment = ExperimentDirectory(tmp_path, "e")
    experiment.prepare()
    experiment.join()  # until this process ends
    held = find_held(experiment, {RUNS[0].run_id: DONE, RUNS[1].run_id: STALE})
    assert [*held] == [RUNS[1].run_id]
    assert "another orch run executes this experiment" in held[RUNS[1].run_id]


def test_new_attempt_of_an_earlier_rerun_is_continued(tmp_path: Path) -> None:
    """Also where it is live: it is waited for."""
    experiment = ExperimentDirectory(tmp_path, "e")
    experiment.prepare()
    experiment.create(RUNS[0]).write_status(Status(Record.FAILED, 1, now(), "box", 1))
    experiment.replaced.put_aside([RUNS[0].run_id], print)
    assert find_held(experiment, {RUNS[0].run_id: LIVE}) == {}
