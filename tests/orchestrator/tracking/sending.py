"""A sender as the tests of tracking use it, and the points that they write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.rundir.directory import RunDirectory
from orchestrator.tracking.delivery_record import (
    Destination,
    is_behind,
    read_delivery,
)
from orchestrator.tracking.reported_content import Scope
from orchestrator.tracking.sender import Sender

PLACE = Destination("0123456789abcdef")


SCOPE = Scope(PLACE, "first", list)


def send(directory: RunDirectory, store: Any, scope: Scope = SCOPE) -> int:
    """Let a sender that knows only what is remembered send; return how many points it sent."""
    sender = Sender(directory, store, scope, read_delivery(directory, PLACE))
    seen = directory.observe()
    sender.send(seen)
    assert not is_behind(directory, seen, sender.delivery)
    return sender.points


def rewrite(directory: RunDirectory, *points: Mapping[str, object], mode: str = "w") -> None:
    with directory.metrics.open(mode) as file:
        file.writelines(json.dumps(point) + "\n" for point in points)


def point(step: int, value: float, timestamp: int = 5) -> dict[str, object]:
    return {"key": "loss", "value": value, "step": step, "timestamp": timestamp}
