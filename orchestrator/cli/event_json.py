"""The JSON form of an event, as ``orch run --json`` prints it."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING

from orchestrator.execution.events import (
    Adopted,
    Advanced,
    AttemptStarted,
    Blocked,
    ControlFailed,
    Controlled,
    Ended,
    Paused,
    Retrying,
    RungCompleted,
    Stopping,
)

if TYPE_CHECKING:
    from orchestrator.execution.events import Event


def event_as_json(event: Event) -> dict[str, object]:  # noqa: C901, PLR0911 # one per kind of event
    """Return an event as ``orch run --json`` prints it."""
    match event:
        case Retrying(run=run):
            return {
                "event": "retrying",
                "run_id": run.run_id,
                "attempt": event.attempt,
                "reason": event.reason,
                "delay": event.delay,
                "alone": event.alone,
            }
        case Blocked(slot=slot):
            return {"event": "blocked", "slot": slot.number, "reason": event.reason}
        case Paused(reason=reason, seconds=seconds):
            return {
                "event": "paused",
                "reason": reason,
                "seconds": seconds if seconds < inf else None,
            }
        case Controlled():
            return {
                "event": "controlled",
                "workers": event.workers,
                "paused": event.is_paused,
                "without_gpus": list(event.without_gpus),
            }
        case ControlFailed(reason=reason):
            return {"event": "control_failed", "reason": reason}
        case Stopping():
            return {"event": "stopping", **asdict(event)}
        case Adopted(run=run, reason=reason):
            return {"event": "adopted", "run_id": run.run_id, "reason": reason}
        case Advanced():
            return _advanced_as_json(event)
        case RungCompleted():
            return {"event": "compared", **asdict(event)}
        case AttemptStarted():
            return _started_as_json(event)
        case Ended(run=run):
            return {
                "event": "ended",
                "run_id": run.run_id,
                "state": event.state.value,
                "reason": event.reason,
                "seconds": round(event.seconds, 3),
                "executed": event.executed,
                "metrics": dict(event.metrics),
                "notices": list(event.notices),
            }


def _started_as_json(event: AttemptStarted) -> dict[str, object]:
    return {
        "event": "started",
        "run_id": event.run.run_id,
        "overrides": dict(event.run.overrides),
        "action": event.action.value,
        "attempt": event.attempt,
        "slot": event.slot.number,
        "gpu": event.slot.gpu.uuid if event.slot.gpu else None,
        "reason": event.reason,
    }


def _advanced_as_json(event: Advanced) -> dict[str, object]:
    return {
        "event": "advanced",
        "run_id": event.run.run_id,
        "iteration": event.iteration,
        "iterations": event.iterations,
        "seconds": round(event.seconds, 3),
        "metrics": dict(event.metrics),
    }
