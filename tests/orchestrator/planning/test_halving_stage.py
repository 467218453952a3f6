"""The stage of a grid is read from its run directories, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.config.halving_settings import Halving
from orchestrator.errors import UsageError
from orchestrator.grid.extension import Extension
from orchestrator.grid.identity import Run, identify
from orchestrator.grid.point_selection import Selection
from orchestrator.planning.executable_plan import Work
from orchestrator.planning.halving_stage import (
    StageReader,
    halve,
    look_at_directories,
    look_at_grid,
)
from orchestrator.planning.plan import Action, Decisions, Plan, make_plan
from orchestrator.planning.rung_decisions import RungVerdict
from orchestrator.rundir.state import PAUSED, Failure, Observation, Record, Status

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
    attempt: int = 1,
) -> None:
    """Leave what a program does that has come to an iteration."""
    lines = [
        json.dumps({"key": key, "value": value, "step": step, "timestamp": 1})
        for step, value in curve.items()
        for key in (metric, "lr")
    ]
    directory.metrics.write_text("\n".join(lines) + "\n")
    iteration = reached if reached is not None else max(curve)
    progress = {"iteration": iteration, "iterations": 9 if iteration <= 9 else 20}
    (directory.path / "progress.json").write_text(json.dumps(progress))
    failure = Failure("error", "no") if record is Record.FAILED else None
    directory.write_status(
        Status(record, attempt, "then", "box", 1, reason=PAUSED, failure=failure)
    )


def decisions_of(experiment: ExperimentDirectory, runs: Sequence[Run]) -> Decisions:
    seen = {run.run_id: experiment.run(run.run_id).observe() for run in runs}
    there = {at: seen[run.run_id] for at, run in enumerate(runs) if seen[run.run_id].status}
    return Decisions(runs, there)


def verdicts(
    experiment: ExperimentDirectory, runs: Sequence[Run], halving: Halving = THIRD, **more: Any
) -> list[str]:
    decisions = decisions_of(experiment, runs)
    stage = StageReader(experiment, halving).stage(decisions, dict(decisions.observed()), **more)
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
            leave(experiment.create(run), {1: value})
        seen = dict(decisions_of(experiment, runs[:2]).observed())
        stage = reader.stage(decisions, seen)
        assert stage.of(best).verdict is RungVerdict.GOES_ON


@pytest.mark.parametrize(
    ("metric", "choice"),
    [
        ("los", "Did you mean 'los'? They report los, lr."),
        ("error", "Choose one of error, lr, or a first rung at which it is logged."),
        (
            "",
            "They report none. Let the program log it, or choose a first rung at which it is logged.",
        ),
    ],
)
def test_metric_that_no_run_has_is_told_with_what_to_choose(
    experiment: ExperimentDirectory, runs: list[Run], metric: str, choice: str
) -> None:
    leave(experiment.create(runs[0]), {1: 0.3}, metric=metric)
    if not metric:
        experiment.run(runs[0].run_id).metrics.unlink()
    with pytest.raises(UsageError) as refusal:
        verdicts(experiment, runs)
    assert (
        str(refusal.value) == f"halving: no run has the metric 'loss' after iteration 1. {choice}"
    )


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


def test_steps_from_0_that_are_not_in_every_iteration_are_those_of_their_iterations(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Steps 1, 3, 5 are iterations 2, 4, 6; the rung is at 3, and the first run is further."""
    third = replace(THIRD, rungs=(3,))
    leave(experiment.create(runs[0]), {1: 0.5, 3: 0.1, 5: 0.1}, 6)
    leave(experiment.create(runs[1]), {1: 0.4}, 3)
    leave(experiment.create(runs[2]), {1: 0.6}, 3)
    assert verdicts(experiment, runs, third) == ["paused", "goes on", "paused"]


def test_run_that_was_killed_twice_does_not_make_a_metric_unfit(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Its first attempt came to 8, the second one to 6, and neither is at its rung now."""
    fourth = replace(THIRD, rungs=(4, 8))
    for run, value in zip(runs, (0.4, 0.5), strict=False):
        curve = {4: value, 8: 1 - value}
        leave(experiment.create(run), curve, 6, record=Record.RUNNING, attempt=2)
    assert verdicts(experiment, runs, fourth) == ["waits", "waits", "goes on"]
    with pytest.raises(UsageError, match=r"are not iterations: run [0-9a-f]{8} has 2 values up to"):
        verdicts(experiment, runs[:2], fourth)  # nothing shows that they are
    assert verdicts(experiment, runs[:2], replace(fourth, steps_from=1)) == ["goes on", "paused"]
    leave(experiment.create(runs[2]), {4: 0.3, 8: 0.9}, 8)
    assert verdicts(experiment, runs, fourth) == ["paused", "paused", "goes on"]


def test_steps_that_do_not_tell_the_first_iteration_are_refused_where_a_place_depends_on_it(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    third = replace(THIRD, rungs=(4,))
    leave(experiment.create(runs[0]), {2: 0.5, 4: 0.1, 9: 0.1}, 12)
    leave(experiment.create(runs[1]), {2: 0.4, 4: 0.3}, 12)
    told = (
        r"^halving: the steps of 'loss' do not tell whether the first iteration is step 0 or 1: run"
        r" [0-9a-f]{8} has the steps 2, 4, 9 after iteration 12. Set orch.halving.steps_from to 0 or 1.$"
    )
    with pytest.raises(UsageError, match=told):
        verdicts(experiment, runs[:2], third)
    first = replace(third, steps_from=1)
    assert verdicts(experiment, runs[:2], first) == ["goes on", "paused"]
    assert verdicts(experiment, runs[:2], replace(third, steps_from=0)) == ["paused", "goes on"]
    assert verdicts(experiment, runs[:2], replace(third, rungs=(3,))) == ["paused", "goes on"]
    for run in runs[:2]:
        leave(experiment.run(run.run_id), {2: 0.5, 4: 0.1, 9: 0.1}, 12, record=Record.DONE)
    assert verdicts(experiment, runs[:2], third) == ["over", "over"]  # nothing depends on it


def test_steps_of_a_run_that_was_killed_may_be_told_by_those_that_come_later(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Two updates per iteration; it was killed before it has come to the rung as the first one."""
    third = replace(THIRD, rungs=(3,))
    leave(experiment.create(runs[0]), {2: 0.1, 4: 0.1, 6: 0.5}, 3, attempt=2)
    assert verdicts(experiment, runs, third) == ["waits", "goes on", "goes on"]
    leave(experiment.create(runs[1]), {2: 0.6, 4: 0.6, 6: 0.3}, 3)
    leave(experiment.create(runs[2]), {2: 0.6, 4: 0.6, 6: 0.4}, 3)
    assert verdicts(experiment, runs, third) == ["paused", "goes on", "paused"]


def test_first_step_is_asked_for_only_once_all_runs_have_come_to_the_rung(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    third = replace(THIRD, rungs=(4,))
    leave(experiment.create(runs[0]), {2: 0.5, 4: 0.1, 9: 0.1}, 12, record=Record.DONE)
    assert verdicts(experiment, runs, third) == ["over", "goes on", "goes on"]
    for run in runs[1:]:
        leave(experiment.create(run), {2: 0.4, 4: 0.4}, 4)
    assert verdicts(experiment, runs, third) == ["over", "paused", "paused"]


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
    decisions = look_at_grid(work, StageReader(experiment, THIRD), is_executed=False)  # type: ignore[arg-type] # a plan
    assert decisions.stage is not None
    assert decisions.stage.of(0).place == 3


@pytest.mark.parametrize("reached", [0, 1])
def test_failed_run_is_to_be_retried_unless_the_grid_is_being_executed(
    experiment: ExperimentDirectory, runs: list[Run], reached: int
) -> None:
    """As the next ``orch run`` sees it, or as the one that goes on without it."""
    for run, value in zip(runs[1:], (0.3, 0.2), strict=True):
        leave(experiment.create(run), {1: value})
    curve = {1: 0.1} if reached else {}
    leave(experiment.create(runs[0]), curve, reached, record=Record.FAILED)
    reader, work = StageReader(experiment, THIRD), work_of(experiment, runs)
    planned = halve(work, THIRD).plan.decisions.stage
    assert planned is not None
    for look in (look_at_grid, look_at_directories):
        where: Any = work if look is look_at_grid else experiment
        found = look(where, reader, is_executed=False).stage
        assert found is not None
        assert found.rungs == planned.rungs
        live = look(where, reader, is_executed=True).stage
        assert live is not None
        assert (live.rungs[0].failed, live.count(RungVerdict.GOES_ON)) == (1, 1)


def test_what_pending_runs_extend_is_known_in_each_look(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    plan = plan_of(experiment, runs)
    extension = Extension(runs[2].run_id, 6)
    extended = plan.decisions.extending({0: extension, 1: extension})
    work = replace(work_of(experiment, runs), plan=replace(plan, decisions=extended))
    decisions = look_at_grid(work, StageReader(experiment, THIRD), is_executed=False)  # type: ignore[arg-type] # a plan
    assert [decisions.saved(at) for at in range(3)] == [6, 6, 0]
    seen = {0: Observation(Status(Record.RUNNING, 1, "then", "box", 1), attempts=1)}
    assert [decisions.observed_again(seen).saved(at) for at in range(3)] == [0, 6, 0]


def test_observing_needs_no_directory(tmp_path: Path, runs: list[Run]) -> None:
    from orchestrator.rundir.experiment import ExperimentDirectory  # noqa: PLC0415 # for this test

    nowhere = ExperimentDirectory(tmp_path / "none", "first")
    assert verdicts(nowhere, runs) == ["goes on"] * 3
