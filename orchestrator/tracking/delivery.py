"""The delivery of a run: what of it has arrived at MLflow, remembered beside its directory."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from orchestrator import durable, records
from orchestrator.state import State

if TYPE_CHECKING:
    from orchestrator.rundir import RunDirectory
    from orchestrator.state import Observation


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has arrived.

    ``store`` names the MLflow store without giving its address away, ``offset`` counts the bytes
    of ``metrics.jsonl`` that have arrived, ``told`` is the state and attempt that MLflow knows.
    """

    store: str
    mlflow_run_id: str
    offset: int = 0
    told: str = ""


def read_delivery(directory: RunDirectory, store: str) -> Delivery | None:
    """Return what has arrived at this store; None if nothing is known of it."""
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(directory.delivery)):
            case {
                "store": str(known),
                "mlflow_run_id": str(run_id),
                "offset": int(offset),
                "told": str(told),
            } if known == store:
                return Delivery(known, run_id, offset, told)
    return None


def write_delivery(directory: RunDirectory, delivery: Delivery) -> None:
    """Remember what has arrived; if a power cut undoes it, it is only sent again."""
    directory.delivery.parent.mkdir(exist_ok=True)
    durable.write_file(directory.delivery, records.dump(asdict(delivery)), lasting=False)


def what_to_tell(seen: Observation) -> str:
    """Return the state and the attempt as MLflow has to know them; empty if there is none yet."""
    return "" if seen.state is State.PENDING else f"{seen.state.value}:{seen.attempts}"


def is_behind(directory: RunDirectory, seen: Observation, delivery: Delivery | None) -> bool:
    """Tell whether something of the run has not arrived yet."""
    if seen.state is State.PENDING:
        return False
    if delivery is None or delivery.told != what_to_tell(seen):
        return True
    return _has_line_behind(directory, delivery.offset)


def _has_line_behind(directory: RunDirectory, offset: int) -> bool:
    """Tell whether a whole line stands behind the offset; a torn one may never be completed."""
    with contextlib.suppress(OSError), directory.metrics.open("rb") as file:
        file.seek(offset)
        return file.readline().endswith(b"\n")
    return False


def store_name(uri: str) -> str:
    """Name a store without giving its address away."""
    return hashlib.sha256(uri.encode()).hexdigest()[:16]
