"""Each event of an execution has a JSON form that a program can parse."""

import json
import math
from typing import Any

import pytest

from orchestrator.cli.event_json import event_as_json
from orchestrator.execution.events import (
    Adopted,
    Advanced,
    AttemptStarted,
    Blocked,
    Ended,
    Paused,
    Retrying,
    RungCompleted,
    Stopping,
)
from orchestrator.execution.slots import Gpu, Slot
from orchestrator.grid.identity import identify
from orchestrator.planning.plan import Action
from orchestrator.rundir.state import Progress, State

RUN = identify({"seed": 1}, {"seed": 1})
SLOT = Slot(3, gpu=Gpu(0, "GPU-0", "H200", 1))
SAVED = Progress(2, 5, {"loss": 0.5})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            AttemptStarted(RUN, Action.RUN, 1, SLOT, "new"),
            {"event": "started", "attempt": 1, "slot": 3, "gpu": "GPU-0", "action": "run"},
        ),
        (AttemptStarted(RUN, Action.RUN, 1, Slot(0), "new"), {"gpu": None}),
        (
            Ended(RUN, State.DONE, "", 1.23456, executed=True, metrics=SAVED.metrics),
            {"event": "ended", "state": "done", "seconds": 1.235, "metrics": {"loss": 0.5}},
        ),
        (Ended(RUN, State.FAILED, "", 0, executed=False), {"metrics": {}}),
        (
            Advanced(RUN, 3, 9, 1.23456, {"loss": 0.5}),
            {"event": "advanced", "iteration": 3, "iterations": 9, "seconds": 1.235},
        ),
        (
            RungCompleted(3, 9, 3, 5, "loss"),
            {"event": "compared", "iteration": 3, "runs": 9, "best": 3, "paused": 5},
        ),
        (Adopted(RUN, "its process lives"), {"event": "adopted", "reason": "its process lives"}),
        (Stopping(2, at_once=True), {"event": "stopping", "live": 2, "at_once": True}),
        (
            Retrying(RUN, 1, "out of memory", 2.0, alone=True),
            {"event": "retrying", "delay": 2.0, "alone": True},
        ),
        (Blocked(SLOT, "used by others"), {"event": "blocked", "slot": 3}),
        (Paused("three failures", 60.0), {"event": "paused", "seconds": 60.0}),
        # JSON does not have infinity.
        (Paused("three failures", math.inf), {"event": "paused", "seconds": None}),
    ],
)
def test_event_has_its_fields(event: Any, expected: dict[str, object]) -> None:
    found = json.loads(json.dumps(event_as_json(event), allow_nan=False))
    assert found | expected == found
    if hasattr(event, "run"):
        assert found["run_id"] == RUN.run_id
