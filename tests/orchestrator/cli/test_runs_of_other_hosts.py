"""The message on runs that another host may execute counts them by host."""

import argparse
import io

import pytest
from rich.console import Console

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.runs_of_other_hosts import tell_unproven
from orchestrator.config.orch_settings import Settings
from orchestrator.grid.identity import Run
from orchestrator.grid.point_selection import Selection
from orchestrator.planning.executable_plan import Work
from orchestrator.planning.plan import make_plan
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Observation, Record, Status


@pytest.fixture
def options() -> argparse.Namespace:
    return parse_arguments(["run", "lr=0.1,0.2"])


def test_each_host_has_a_line_with_the_command_that_takes_over(
    experiment: ExperimentDirectory, runs: list[Run], options: argparse.Namespace
) -> None:
    hosts = ("far", "near", "far")
    seen = {
        run.run_id: Observation(
            Status(Record.RUNNING, 1, "then", host, 1), attempts=1, unreachable=host
        )
        for run, host in zip(runs, hosts, strict=True)
    }
    plan = make_plan("first", "", Selection(3, 0, runs, (), (), ()), seen)
    console = Console(file=io.StringIO(), width=200)
    assert tell_unproven(Work(plan, experiment, Settings()), options, console) == 3
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said == (
        "2 runs are left alone: host far may be executing them, which cannot be seen from here."
        " Continue there, or, if it is off: orch run lr=0.1,0.2 --host-is-gone far\n"
        "1 run is left alone: host near may be executing it, which cannot be seen from here."
        " Continue there, or, if it is off: orch run lr=0.1,0.2 --host-is-gone near\n"
    )


def test_nothing_is_said_without_such_runs(
    experiment: ExperimentDirectory, runs: list[Run], options: argparse.Namespace
) -> None:
    plan = make_plan("first", "", Selection(3, 0, runs, (), (), ()), {})
    console = Console(file=io.StringIO())
    assert tell_unproven(Work(plan, experiment, Settings()), options, console) == 0
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
