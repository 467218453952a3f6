"""The delivery of a run: what of it has arrived at MLflow, remembered beside its directory."""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records
from orchestrator.rundir.state import State
from orchestrator.tracking.metric_points import START, Place, count_points_behind, has_points_behind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation


SQLITE: Final = "sqlite:///"
_USER: Final = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has arrived.

    ``store`` names the MLflow store, ``experiment`` the experiment in it, ``created_at`` the run
    directory that was reported. ``place`` is how far ``metrics.jsonl`` has arrived, ``told`` the
    state and attempt that MLflow knows, ``files`` the artifacts with their sizes and times.
    """

    store: str
    experiment: str
    created_at: str
    mlflow_run_id: str
    place: Place = START
    told: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def read_delivery(directory: RunDirectory, store: str) -> Delivery | None:
    """Return what has arrived at this store; None if nothing is known of it."""
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(directory.delivery)):
            case {
                "store": str(known),
                "experiment": str(experiment),
                "created_at": str(created_at),
                "mlflow_run_id": str(run_id),
                "place": {"offset": int(offset), "tail": int(tail)},
                "told": str(told),
                "files": dict(files),
            } if known == store:
                place = Place(offset, tail)
                return Delivery(known, experiment, created_at, run_id, place, told, files)
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
    if directory.was_made_after(directory.delivery):
        return True  # the sender reads whether it really is another one
    is_over = seen.state is State.DONE
    return has_points_behind(directory.metrics, delivery.place.offset, is_over=is_over)


def count_waiting(directory: RunDirectory, delivery: Delivery | None) -> int:
    """Return how many points of a run have not arrived yet."""
    return count_points_behind(directory.metrics, delivery.place.offset if delivery else 0)


def store_name(uri: str) -> str:
    """Name a store without giving its address away; a new password makes no new store."""
    return hashlib.sha256(_USER.sub("", uri).encode()).hexdigest()[:16]


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a store in SQLite."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None
