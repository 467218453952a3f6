"""What ``orch run`` says of points that have not arrived at MLflow when it ends.

``tests/orchestrator/cli/commands/test_run.py`` and the end-to-end tests report with it.
"""

from orchestrator.cli.mlflow_reporter import describe_waiting
from orchestrator.tracking.progress_messages import NO_TURN
from orchestrator.tracking.reporter_handle import Backlog


def test_command_delivers_what_the_server_did_not_take() -> None:
    told = describe_waiting("the server does not answer", Backlog(1, 4))
    assert told == ("MLflow: the server does not answer; 4 points of 1 run wait. To deliver them")


def test_one_thing_that_waits_is_told_as_one() -> None:
    told = describe_waiting("it is slow", Backlog(1, 1))
    assert told == "MLflow: it is slow; 1 point of 1 run waits. To deliver it"
    told = describe_waiting("it is slow", Backlog(2, 0))
    assert told == "MLflow: it is slow; the state of 2 runs waits. To deliver it"


def test_other_reporter_delivers_what_it_keeps_from_this_one() -> None:
    """The command is for the case that it is killed."""
    told = describe_waiting(NO_TURN, Backlog(1, 4))
    assert told == (
        "MLflow: 4 points of 1 run have not arrived. The reporter of another process is sending what"
        " this experiment has, these included. If it ends before they arrive"
    )
    told = describe_waiting(NO_TURN, Backlog(3, 0))
    assert "the state of 3 runs has not arrived." in told
    assert "this included. If it ends before it arrives" in told
