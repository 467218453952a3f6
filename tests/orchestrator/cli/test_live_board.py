"""The live board: slots and the bar fit into the terminal."""

import io

import pytest
from rich.console import Console

from orchestrator.cli.live_board import LiveBoard
from orchestrator.execution.events import (
    Adopted,
    AttemptStarted,
    Ended,
    ExecutionSnapshot,
    Live,
    LiveElsewhere,
)
from orchestrator.execution.remaining_time import Pace
from orchestrator.execution.slots import Slot
from orchestrator.grid.identity import identify
from orchestrator.planning.plan import Action
from orchestrator.rundir.state import Progress, State

RUN = identify({"lr": 0.1}, {"optimizer.lr": 0.1, "model": "mlp"})
SAVED = Progress(3, 10, {"loss": 0.123456, "accuracy": "NaN"})
STARTED = AttemptStarted(RUN, Action.RESUME, 2, Slot(0), "its process is gone")


def test_live_board_tells_runs_apart_on_a_narrow_terminal() -> None:
    """Keys are cut down to their last parts before a value is cut off."""
    point = {"model": "cnn10", "optimizer.lr": 0.001, "batch_size": 16, "seed": 1}
    run = identify(point, point)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    with LiveBoard(console, 1) as board:
        started = AttemptStarted(run, Action.RUN, 1, Slot(0), "it has not run yet")
        board.refresh(
            ExecutionSnapshot([Live(started, 1.0, SAVED, SAVED.metrics)], 0, Pace(1.0, 1.0))
        )
        board.show(Ended(run, State.DONE, "", 1.2, executed=True, metrics=SAVED.metrics))
    assert stream.getvalue().count("model=cnn10 lr=0.001 batch_size=16 seed=1") >= 2


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24)])
def test_live_board_shows_the_bar_below_more_slots_than_there_are_rows(
    width: int, height: int
) -> None:
    """Slots give way before the bar, and metrics before a run's count."""
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, width=width, height=height, color_system=None
    )
    point = {"model": "some_quite_long_model_name", "seed": 1}
    run = identify(point, point)
    live = [Live(AttemptStarted(run, Action.RUN, 1, Slot(n), ""), 1.0, SAVED) for n in range(30)]
    with LiveBoard(console, 60) as board:
        board.refresh(ExecutionSnapshot(live, 30, Pace(36.0, 900.0)))
        drawn = stream.getvalue()
    assert "0/60" in drawn
    assert f"{30 - (height - 5)} more" in drawn
    assert drawn.count(run.run_id[:8]) == height - 5
    assert drawn.count("3/10") == height - 5


def test_run_that_reports_only_metrics_is_not_said_to_be_starting() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with LiveBoard(console, 1) as board:
        board.refresh(
            ExecutionSnapshot([Live(STARTED, 1.0, None, {"loss": 0.5})], 0, Pace(1.0, 1.0))
        )
    assert "loss 0.5" in stream.getvalue()
    assert "starting" not in stream.getvalue()


@pytest.mark.parametrize(("height", "shown"), [(24, 3), (6, 1)])
def test_run_of_another_process_has_a_line_that_says_how_far_it_is(height: int, shown: int) -> None:
    """What was saved when this process found it is soon untrue, so it is not printed above the bar."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=height, color_system=None)
    with LiveBoard(console, 3) as board:
        board.show(Adopted(RUN, "its process lives, nothing is saved yet"))
        elsewhere = [LiveElsewhere(RUN, SAVED), *[LiveElsewhere(RUN, None)] * 2]
        board.refresh(ExecutionSnapshot([], 0, Pace(), elsewhere=elsewhere))
        drawn = stream.getvalue()
        assert "nothing is saved" not in drawn
        assert drawn.count("of another process") == shown
        assert drawn.count("3/10") == 1
        assert ("2 more" in drawn) == (shown == 1)
        board.show(Ended(RUN, State.DONE, "", 0.0, executed=False, lasted=12.34))
    assert f"1/3  {RUN.run_id[:8]}  done  12.3 s" in stream.getvalue()
