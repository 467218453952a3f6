"""Progress messages of the reporter never block, and garbage among them is ignored."""

from __future__ import annotations

import json
import os

from orchestrator.tracking.progress_messages import ProgressMessage, read_newest, send_message


def test_garbage_among_messages_is_ignored(channel: tuple[int, int]) -> None:
    """Nothing that comes through the pipe can break its reader."""
    os.write(channel[1], b"nonsense\n" + json.dumps({"runs": 1}).encode() + b"\n")
    assert read_newest(channel[0], ProgressMessage(runs=7)) == ProgressMessage(runs=7)


def test_newest_of_several_messages_is_read(channel: tuple[int, int]) -> None:
    for count in (1, 2, 3):
        assert send_message(channel[1], ProgressMessage(runs=count, points=10 * count, beat=count))
    found = read_newest(channel[0], ProgressMessage())
    assert (found.runs, found.points, found.beat) == (3, 30, 3)
    assert read_newest(channel[0], found) == found  # there is no other one


def test_message_that_nobody_reads_blocks_nothing(channel: tuple[int, int]) -> None:
    """The pipe is full, or its reader is gone; the reporter goes on."""
    os.set_blocking(channel[1], False)
    message = ProgressMessage(problem="x" * 1000)
    assert not all(send_message(channel[1], message) for _ in range(1000))
