"""The stage of a grid is read from its run directories, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.errors import UsageError
from orchestrator.grid.identity import Run, identify
from orchestrator.grid.point_selection import Selection
from orchestrator.planning.executable_plan import Work
from orchestrator.planning.halving_stage import StageReader, halve, look_at_grid
from orchestrator.planning.plan import Action, Decisions, Plan, make_plan
from orchestrator.planning.rung_decisions import RungVerdict
from orchestrator.rundir.state import Failure, Record, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.experiment import ExperimentDirectory

THIRD = Halving("loss", True, 3)


def leave(
    directory: RunDirectory,
    curve: Mapping[int, float],
    reached: int | None = None,
    *,
    record: Record = Record.INTERRUPTED,
    metric: str = "loss",
) -> None:
    """Leave what a program does that has come to an iteration."""
    lines = [
        json.dumps({"key": key, "value": value, "step": step, "timestamp": 1})
        for step, value in curve.items()
        for key in (metric, "lr")
    ]
    directory.metrics.write_text("\n".join(lines) + "\n")
    progress = {"iteration": reached if reached is not None else max(curve), "iterations": 9}
    (directory.path / "progress.json").write_text(json.dumps(progress))
    failure = Failure("error", "no") if record is Record.FAILED else None
    directory.write_status(Status(record, 1, "then", "box", 1, reason="p", failure=failure))


def decisions_of(experiment: ExperimentDirectory, runs: Sequence[Run]) -> Decisions:
    seen = {run.run_id: experiment.run(run.run_id).observe() for run in runs}
    there = {at: seen[run.run_id] for at, run in enumerate(runs) if seen[run.run_id].status}
    return Decisions(runs, there)


def verdicts(experiment: ExperimentDirectory, runs: Sequence[Run], **more: Any) -> list[str]:
    decisions = decisions_of(experiment, runs)
    stage = StageReader(experiment, THIRD).stage(decisions, dict(decisions.observed()), **more)
    return [stage.of(at).verdict.value for at in range(len(runs))]


def test_curves_decide_who_goes_on(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    for run, value in zip(runs[:2], (0.3, 0.2), strict=True):
        leave(experiment.create(run), {1: value})
    assert verdicts(experiment, runs) == ["waits", "waits", "goes on"]
    leave(experiment.create(runs[2]), {1: 0.1})
    assert verdicts(experiment, runs) == ["paused", "paused", "goes on"]


def test_failed_run_counts_once_it_is_not_retried(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    leave(experiment.create(runs[0]), {1: 0.3})
    leave(experiment.create(runs[1]), {1: 0.2})
    leave(experiment.create(runs[2]), {}, 0, record=Record.FAILED)
    assert verdicts(experiment, runs, failed=()) == ["waits", "waits", "goes on"]
    assert verdicts(experiment, runs, failed={2}) == ["paused", "goes on", "over"]
    assert verdicts(experiment, runs) == ["paused", "goes on", "over"]  # as orch status looks


@pytest.mark.parametrize(
    ("kind", "message", "verdict"),
    [
        ("killed", "by SIGKILL", "waits"),
        ("disk-full", "No space left on device", "waits"),
        ("killed", "by SIGSEGV, in a library", "paused"),
        ("out-of-memory", "CUDA out of memory", "paused"),
    ],
)
def test_run_that_others_made_fail_is_waited_for(
    experiment: ExperimentDirectory, runs: list[Run], kind: str, message: str, verdict: str
) -> None:
    """Who goes on must not depend on what was killed."""
    for at, value in enumerate((0.2, 0.1)):
        leave(experiment.create(runs[at]), {1: value})
    killed = experiment.create(runs[2])
    failure = Failure(kind, message)
    killed.write_status(Status(Record.FAILED, 1, "then", "box", 1, failure=failure))
    assert verdicts(experiment, runs)[0] == verdict


def test_run_that_could_not_be_started_counts_as_failed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    leave(experiment.create(runs[0]), {1: 0.3})
    leave(experiment.create(runs[1]), {1: 0.2})
    assert verdicts(experiment, runs, failed={2}) == ["paused", "goes on", "over"]


def test_finished_run_without_progress_counts_with_its_curve(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    directory = experiment.create(runs[0])
    leave(directory, {1: 0.1, 2: 0.1}, record=Record.DONE)
    (directory.path / "progress.json").unlink()
    leave(experiment.create(runs[1]), {1: 0.2})
    leave(experiment.create(runs[2]), {1: 0.3})
    assert verdicts(experiment, runs) == ["over", "paused", "paused"]


def test_curve_that_has_changed_is_read_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    decisions = decisions_of(experiment, runs[:2])
    reader = StageReader(experiment, THIRD)
    for values, best in (((0.3, 0.2), 1), ((0.1, 0.2), 0)):
        for run, value in zip(runs, values, strict=False):
            leave(experiment.create(run), {1: value, 2: value}, 1)
        seen = dict(decisions_of(experiment, runs[:2]).observed())
        stage = reader.stage(decisions, seen)
        assert stage.of(best).verdict is RungVerdict.GOES_ON


def test_metric_that_no_run_has_is_told_with_those_there_are(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    leave(experiment.create(runs[0]), {1: 0.3}, metric="los")
    with pytest.raises(UsageError, match=r"no run has the metric 'loss'. Choose one of los, lr\.$"):
        verdicts(experiment, runs)
    (experiment.run(runs[0].run_id).metrics).unlink()
    with pytest.raises(UsageError, match=r"no run has the metric 'loss'. They have logged none\.$"):
        verdicts(experiment, runs)


def test_metric_that_only_some_runs_have_is_no_error(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    leave(experiment.create(runs[0]), {1: 0.3}, metric="los")
    leave(experiment.create(runs[1]), {1: 0.3})
    leave(experiment.create(runs[2]), {1: 0.4})
    assert verdicts(experiment, runs) == ["paused", "goes on", "paused"]


def test_steps_that_are_not_iterations_are_refused(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    leave(experiment.create(runs[0]), {10: 0.3, 20: 0.2, 400: 0.1}, 1)
    told = r"the steps of 'loss' are not iterations: run [0-9a-f]{8} has 3 values up to step 400"
    with pytest.raises(UsageError, match=told):
        verdicts(experiment, runs)


def plan_of(experiment: ExperimentDirectory, runs: Sequence[Run]) -> Plan:
    seen = dict(decisions_of(experiment, runs).observed())
    known = {runs[at].run_id: each for at, each in seen.items()}
    selection = Selection(len(runs), 0, runs, (), (), ())
    return make_plan("first", str(experiment.training), selection, known)


def work_of(experiment: ExperimentDirectory, runs: Sequence[Run]) -> Work:
    return Work(plan_of(experiment, runs), experiment, settings=None)  # type: ignore[arg-type] # unread


def test_halved_work_starts_only_what_goes_on(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    runs.append(identify({"seed": 9, "lr": 0.1}, {"seed": 9}))
    work = halve(work_of(experiment, runs), THIRD)
    assert [each.stop_after for each in work.starts()] == [1] * 4
    assert (work.count_open(), work.count_paused()) == (4, 0)
    for run, value in zip(runs, (0.3, 0.2, 0.1, 0.4), strict=True):
        leave(experiment.create(run), {1: value})
    work = halve(work_of(experiment, runs), THIRD)
    (start,) = work.starts()
    assert (start.run, start.action, start.stop_after) == (runs[2], Action.RESUME, None)
    assert (work.count_open(), work.count_paused()) == (1, 3)
    held = work.plan.decisions[0]
    assert (held.action, held.reason) == (
        Action.PAUSE,
        "paused: place 3 of 4 after iteration 1, the best goes on",
    )
    assert sum(work.plan.decisions.count_reasons().values()) == 4


def test_grid_is_looked_at_as_a_whole_whatever_was_selected(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    for run, value in zip(runs, (0.3, 0.2, 0.1), strict=True):
        leave(experiment.create(run), {1: value})
    work = work_of(experiment, runs)
    decisions = look_at_grid(work, StageReader(experiment, THIRD))  # type: ignore[arg-type] # a plan
    assert decisions.stage is not None
    assert decisions.stage.of(0).place == 3


def test_observing_needs_no_directory(tmp_path: Path, runs: list[Run]) -> None:
    from orchestrator.rundir.experiment import ExperimentDirectory  # noqa: PLC0415 # for this test

    nowhere = ExperimentDirectory(tmp_path / "none", "first")
    assert verdicts(nowhere, runs) == ["goes on"] * 3
