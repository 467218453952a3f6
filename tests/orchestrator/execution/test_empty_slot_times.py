"""A slot is empty for a moment between two runs, which a forecast of short runs must know."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.execution.empty_slot_times import usual_pause
from orchestrator.rundir.state import Record, Status

START = datetime(2026, 1, 1, tzinfo=UTC)


def _runs(
    *pauses: float, slot: int = 0, host: str = "box", record: Record = Record.DONE
) -> list[Status]:
    """Return runs of two seconds in a slot, with these pauses between them."""
    moment, found = START, []
    for pause in (*pauses, 0.0):
        ended = moment + timedelta(seconds=2)
        found.append(
            Status(record, 1, moment.isoformat(), host, 1, ended_at=ended.isoformat(), slot=slot)
        )
        moment = ended + timedelta(seconds=pause)
    return found


@pytest.mark.parametrize(
    ("statuses", "pause"),
    [
        ([], 0.0),
        (_runs(0.4), 0.0),  # too few to tell
        (_runs(0.4, 0.5, 0.6), 0.5),
        ([*reversed(_runs(0.4, 0.5, 600.0, 0.6))], 0.5),  # another command
        ([*_runs(0.4, 0.5), *_runs(0.6, 0.5, slot=1)], 0.5),
        ([*_runs(0.4, 0.5), *_runs(0.6, 0.5, host="other")], 0.5),
        (_runs(0.4, 0.5, 0.6, record=Record.FAILED), 0.0),
    ],
)
def test_usual_pause_is_that_between_runs_of_a_slot(statuses: list[Status], pause: float) -> None:
    """Whatever the order in which they are read."""
    assert usual_pause(statuses) == pytest.approx(pause)


def test_times_of_other_programs_are_no_error() -> None:
    """A damaged time says nothing."""
    found = [
        Status(Record.DONE, 1, text, "box", 1, ended_at=text, slot=0) for text in ("x", "9" * 99)
    ]
    assert usual_pause(found * 3) == 0.0
