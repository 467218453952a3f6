"""The JSON forms of what is kept in a run directory; a contract with every script that reads it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from orchestrator.rundir.state import Failure, Progress, Record, Status, Unreadable
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = 1
T = TypeVar("T")
# Beyond these, a number was not written by a program that counts.
_MOST_ATTEMPTS: Final = 10**6
_LARGEST: Final = 2**63


def now() -> str:
    """Return the time as it stands in records: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def dump_status(status: Status) -> bytes:
    """Return the content of ``status.json``."""
    failure = status.failure
    return dump(
        {
            "schema": SCHEMA,
            "state": status.record.value,
            "attempt": status.attempt,
            "started_at": status.started_at,
            "ended_at": status.ended_at,
            "host": status.host,
            "pid": status.pid,
            "exit_code": status.exit_code,
            "error": failure and {"class": failure.kind, "message": failure.message},
            "reason": status.reason,
        }
    )


def parse_status(content: bytes) -> Status | Unreadable:
    """Read ``status.json``; anything that is not exactly one is ``Unreadable``, never an error."""
    found = parse(content)
    if not isinstance(found, dict):
        return Unreadable("it is no complete status")
    # By hand: matching on the mapping's shape takes three times as long, 10,000 times a plan.
    record, attempt = _RECORDS.get(str(found.get("state"))), found.get("attempt")
    started_at, host, pid = found.get("started_at"), found.get("host"), found.get("pid")
    if (
        found.get("schema") == SCHEMA
        and record is not None
        and type(attempt) is int  # true is one as well, for isinstance
        and 1 <= attempt <= _MOST_ATTEMPTS
        and isinstance(started_at, str)
        and isinstance(host, str)
        and isinstance(pid, int)
    ):
        return Status(
            record=record,
            attempt=attempt,
            started_at=printable(started_at),
            host=printable(host),
            pid=pid,
            ended_at=_text(found.get("ended_at")),
            exit_code=_optional(found.get("exit_code"), int),
            failure=_parse_failure(found.get("error")),
            reason=_text(found.get("reason")),
        )
    schema = found.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        return Unreadable(f"it is of schema {schema}, written by a newer version")
    return Unreadable("it is no complete status")


def parse_progress(content: bytes) -> Progress | None:
    """Read ``progress.json``; what does not say how far a run is says nothing."""
    match parse(content):
        case {"iteration": int(iteration), "iterations": int(iterations)} as found:
            if abs(iteration) > _LARGEST or abs(iterations) > _LARGEST:
                return None
            metrics = found.get("metrics")
            kept = _metrics(metrics) if isinstance(metrics, dict) else {}
            return Progress(int(iteration), int(iterations), kept)
        case _:
            return None


def _metrics(found: Mapping[str, object]) -> Mapping[str, float | str]:
    pairs = map(_metric, found.items())
    return {printable(key): value for key, value in pairs if value != ""}


def _metric(pair: tuple[str, object]) -> tuple[str, float | str]:
    """Return a metric as it may be shown; an empty text for what is none."""
    key, value = pair
    if isinstance(value, str):
        return key, printable(value)
    if isinstance(value, float) and not math.isfinite(value):  # JSON has only texts for these
        return key, "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= _LARGEST):
        return key, value
    return key, ""


def parse_results(content: bytes) -> Mapping[str, float | str]:
    """Read the test results in ``results.json``; what does not tell them tells nothing."""
    match parse(content):
        case {"test": dict(test)}:
            return _metrics(test)
        case _:
            return {}


def dump(value: Mapping[str, object]) -> bytes:
    """Return a record as JSON, for people and programs."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def parse(content: bytes) -> Any:  # noqa: ANN401 # the callers match on its shape
    """Return what a record holds, or None where it is no JSON."""
    try:
        text = content.decode().strip(" \t\r\n")  # what JSON takes for space
        found, end = _DECODER.raw_decode(text)
        return found if end == len(text) else None
    except (ValueError, RecursionError):
        return None


_DECODER: Final = json.JSONDecoder()
_RECORDS: Final[Mapping[str, Record]] = {record.value: record for record in Record}


def _parse_failure(found: object) -> Failure | None:
    if found is None:
        return None
    match found:
        case {"class": str(kind), "message": str(message)}:
            return Failure(printable(kind), printable(message))
        case _:
            return None


def _text(value: object) -> str | None:
    return printable(value) if isinstance(value, str) else None


def _optional(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None
