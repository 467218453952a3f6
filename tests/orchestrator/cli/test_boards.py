"""The boards say what happens, to people and to scripts."""

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.cli.boards import JsonBoard, PlainBoard, QuietBoard
from orchestrator.cli.live_board import LiveBoard
from orchestrator.execution.events import (
    Adopted,
    Advanced,
    AttemptStarted,
    Blocked,
    Ended,
    Event,
    ExecutionSnapshot,
    Live,
    Paused,
    Retrying,
    RungCompleted,
    Stopping,
)
from orchestrator.execution.remaining_time import Pace
from orchestrator.execution.slots import Slot
from orchestrator.grid.identity import Run, identify
from orchestrator.planning.plan import Action
from orchestrator.rundir.state import Progress, State

RUN = identify({"lr": 0.1}, {"optimizer.lr": 0.1, "model": "mlp"})
SAVED = Progress(3, 10, {"loss": 0.123456, "accuracy": "NaN"})
STARTED = AttemptStarted(RUN, Action.RESUME, 2, Slot(0), "its process is gone")
EVENTS: list[Event] = [
    STARTED,
    Ended(RUN, State.DONE, "it has finished", 1.25, executed=True, metrics=SAVED.metrics),
    Ended(RUN, State.FAILED, "error: [red]no markup[/]", 1.0, executed=True),
    Adopted(RUN, "its process lives"),
    Stopping(2, at_once=False),
    Stopping(2, at_once=True),
    Retrying(RUN, 1, "attempt 1 failed, killed: by SIGKILL", 2.0, alone=False),
    Blocked(Slot(1), "GPU 0 is full"),
    Paused("5 runs in a row failed in the same way", 10.0),
    Paused("8 runs in a row failed in the same way", float("inf")),
]

MakeBoard = Callable[[Console, int], PlainBoard]


def shown(make: MakeBoard, *, terminal: bool = False, width: int = 200) -> str:
    """Return what a board prints of all events."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width, color_system=None)
    with make(console, 3) as board:
        live = [Live(STARTED, 1.0, SAVED, SAVED.metrics), Live(STARTED, 1.0, None)]
        board.refresh(ExecutionSnapshot(live, 3, Pace(36.0, 900.0)))
        for event in EVENTS:
            board.show(event)
    return stream.getvalue()


def test_plain_board_prints_a_line_an_event() -> None:
    """Every event is there, in words, with what distinguishes the run."""
    lines = shown(PlainBoard).splitlines()
    assert len(lines) == len(EVENTS)
    assert lines[0].strip() == (
        f"resume  {RUN.run_id[:8]}  optimizer.lr=0.1 model=mlp  (attempt 2: its process is gone)"
    )
    assert "1/3" in lines[1]
    assert "done  1.2 s" in lines[1]
    assert "loss 0.1235  accuracy NaN" in lines[1]
    assert "[red]no markup[/]" in lines[2]
    assert "(again:" in lines[4]


def test_what_does_not_fit_on_a_line_stands_below_its_text() -> None:
    """No word is broken; a finished run keeps to one line."""
    lines = shown(PlainBoard, terminal=True, width=60).splitlines()
    place = next(at for at, line in enumerate(lines) if line.startswith("    again"))
    assert [line.rstrip() for line in lines[place : place + 2]] == [
        f"    again  {RUN.run_id[:8]}  in 2 s: attempt 1 failed, killed: by",
        "           SIGKILL  lr=0.1 model=mlp  (attempt 2)",
    ]
    done = next(line for line in lines if "done  1.2 s" in line)
    assert done.endswith("…")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_live_board_draws_slots_and_bar_at_any_width(width: int) -> None:
    """Nothing is wider than the terminal."""
    text = shown(LiveBoard, terminal=True, width=width)
    assert "3/10" in text
    assert "starting" in text
    assert "2/3" in text


def test_quiet_board_tells_what_went_wrong_and_what_is_waited_for() -> None:
    """Who asked for quiet wants to know why nothing happens."""
    lines = [line.strip() for line in shown(QuietBoard).splitlines()]
    assert [line.partition(" ")[0] for line in lines] == ["2/3", "waiting", "paused", "paused"]


def test_json_board_writes_an_object_a_line() -> None:
    """Scripts get every event with its run and its state."""
    events = [json.loads(line) for line in shown(JsonBoard).splitlines()]
    kinds = ["started", "ended", "ended", "adopted", "stopping", "stopping"]
    kinds += ["retrying", "blocked", "paused", "paused"]
    assert [event["event"] for event in events] == kinds
    assert events[0]["run_id"] == RUN.run_id
    assert events[1]["metrics"] == {"loss": 0.123456, "accuracy": "NaN"}
    assert events[2]["reason"] == "error: [red]no markup[/]"


def test_run_without_axes_is_named_all_the_same() -> None:
    """A single run has nothing that distinguishes it, and is shown."""
    only: Run = identify({"lr": 0.1}, {})
    stream = io.StringIO()
    board = PlainBoard(Console(file=stream, width=200), 1)
    board.show(AttemptStarted(only, Action.RUN, 1, Slot(0), "it has not run yet"))
    assert "the only point" in stream.getvalue()


def test_nothing_is_left_to_be_estimated_at_the_end() -> None:
    """The bar stays as the last line, and must not promise anything."""
    text = shown(LiveBoard, terminal=True)
    assert "15 min left" in text
    last = text.rpartition("\x1b[2K")[2]
    assert "2/3" in last
    assert "left" not in last


def test_value_with_a_line_break_stays_in_its_line() -> None:
    """Else one event would look like two."""
    stream = io.StringIO()
    run = identify({"lr": 0.1}, {"text": "a\nb\x1b[2J"})
    with PlainBoard(Console(file=stream, width=200), 1) as board:
        board.show(AttemptStarted(run, Action.RUN, 1, Slot(0), "it has not run yet"))
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_files_that_are_ignored_are_named_after_the_run() -> None:
    stream = io.StringIO()
    event = Ended(RUN, State.DONE, "", 1.0, executed=True, notices=("results.json: ignored",))
    with PlainBoard(Console(file=stream, width=200), 1) as board:
        board.show(event)
    assert stream.getvalue().splitlines()[1].split() == [
        *("notice", RUN.run_id[:8], "results.json:", "ignored"),
    ]


def test_what_many_runs_notice_is_said_once() -> None:
    stream = io.StringIO()
    event = Ended(RUN, State.DONE, "", 1.0, executed=True, notices=("max_epochs is not read",))
    with PlainBoard(Console(file=stream, width=200), 2) as board:
        board.show(event)
        board.show(event)
    assert stream.getvalue().count("max_epochs is not read") == 1


@pytest.mark.parametrize(
    ("board", "lines"),
    [
        (PlainBoard, 2),
        (LiveBoard, 1),  # how far runs come shows in their slots
        (QuietBoard, 0),
    ],
)
def test_comparison_of_runs_is_told_and_its_paused_runs_count_as_over(
    board: MakeBoard, lines: int
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=200, color_system=None)
    with board(console, 9) as shown_on:
        shown_on.show(Advanced(RUN, 3, 9, 1.25, {"loss": 0.5}))
        shown_on.show(RungCompleted(3, 9, 3, 6, "validation/loss"))
    text = stream.getvalue()
    told = "halving  after iteration 3, the best 3 of 9 runs go on, by validation/loss"
    assert (told in text) is (lines > 0)
    assert ("3/9  1.2 s" in text) is (lines > 1)
    assert ("0/3" in text) is (board is LiveBoard)


def test_run_that_has_paused_is_called_so() -> None:
    stream = io.StringIO()
    event = Ended(RUN, State.STALE, "paused after 3", 1.0, executed=True, is_paused=True)
    with PlainBoard(Console(file=stream, width=200), 1) as board:
        board.show(event)
    assert stream.getvalue().split()[1] == "paused"
