"""A runner hears a request to stop that no orchestrator passes on."""

import signal

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.runner.orphaned_stop_requests import UnheardRequests


@pytest.fixture
def asked(experiment: ExperimentDirectory, runs: list[Run]) -> UnheardRequests:
    """Return what a runner hears that has just started; there was a request before."""
    experiment.stop_file().ask("at_once")
    return UnheardRequests(experiment.create(runs[0]).path)


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("at_checkpoint", signal.SIGTERM),
        ("at_once", signal.SIGKILL),
        ("drain", None),
        ("else", None),
    ],
)
def test_request_is_due_once_an_orchestrator_would_have_passed_it_on(
    experiment: ExperimentDirectory,
    asked: UnheardRequests,
    how: str,
    number: signal.Signals | None,
) -> None:
    """Acting before it would end the run without the orchestrator knowing why."""
    assert asked.due(100.0) is None
    experiment.stop_file().ask(how)
    assert [asked.due(moment) for moment in (101.0, 103.9)] == [None, None]
    assert [asked.due(moment) for moment in (104.0, 105.0)] == [number, None]


def test_last_of_several_requests_counts(
    experiment: ExperimentDirectory, asked: UnheardRequests
) -> None:
    """Who asked to stop may ask to kill, and wait again."""
    experiment.stop_file().ask("at_checkpoint")
    assert asked.due(100.0) is None
    experiment.stop_file().ask("at_once")
    assert asked.due(102.0) is None
    assert asked.due(104.0) is None
    assert asked.due(105.0) is signal.SIGKILL
