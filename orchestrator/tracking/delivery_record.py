"""The delivery of a run: what of it has arrived at MLflow, remembered beside its directory."""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from orchestrator.rundir import durable, records
from orchestrator.rundir.state import State
from orchestrator.tracking.metric_points import START, Place, count_points_behind, has_points_behind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation


FILES: Final = "mlartifacts"  # what the store in a results folder calls its folder of files
SQLITE: Final = "sqlite:///"
_USER: Final = re.compile(r"(?<=://)[^/@]*@")
_MLFLOW_RUN_ID: Final = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")  # as MLflow checks it
_LARGEST: Final = 2**63
_SPECIAL: Final = {"%": "%25", "?": "%3F", "#": "%23"}  # to whoever reads the path of a SQLite URI


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has arrived.

    ``store`` names the MLflow store, ``experiment`` the experiment in it, ``created_at`` the run
    directory that was reported. ``place`` is how far ``metrics.jsonl`` has arrived, ``told`` the
    state and attempt that MLflow knows, ``files`` the artifacts with their sizes and times.
    ``folder`` is the identity of the experiment's folder, where the store is shared with others,
    ``start`` when the MLflow run began, in ms.
    """

    store: str
    experiment: str
    created_at: str
    mlflow_run_id: str
    place: Place = START
    told: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    start: int = 0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the runs of an experiment's folder are reported to.

    ``store`` names the store. ``folder`` is the identity of the experiment's folder; empty where the
    store lies in the results folder, so that a copy of the folder has a store of its own.
    ``files`` is the folder that the store keeps files in, where it is known.
    """

    store: str
    folder: str = ""
    files: Path | None = None


def read_delivery(directory: RunDirectory, destination: Destination) -> Delivery | None:
    """Return what has arrived; None if nothing is known of it, or what is known makes no sense.

    Where the store's files were removed, they have not arrived.
    """
    found = _read(directory, destination)
    if found and found.files and destination.files is not None:
        kept = destination.files / found.mlflow_run_id
        if not kept.exists():
            return replace(found, told="", files={})
    return found


def _read(directory: RunDirectory, destination: Destination) -> Delivery | None:
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
            } as found if (known, found.get("folder", "")) == (
                destination.store,
                destination.folder,
            ):
                start = found.get("start", 0)
                makes_sense = (
                    0 <= offset < _LARGEST
                    and type(start) is int
                    and _MLFLOW_RUN_ID.fullmatch(run_id)
                )
                if not makes_sense:
                    return None
                place = Place(offset, tail)
                return Delivery(
                    *(known, experiment, created_at, run_id, place, told, files),
                    folder=destination.folder,
                    start=start,
                )
    return None


def write_delivery(directory: RunDirectory, delivery: Delivery) -> None:
    """Remember what has arrived; if a power cut undoes it, it is only sent again."""
    durable.make_folder(directory.delivery.parent)
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
    """Name a store without giving its address away.

    A new password makes no new store, nor does another spelling of the way to a file.
    """
    file = sqlite_file(uri)
    address = f"{SQLITE}{file.resolve()}" if file else _USER.sub("", uri)
    return hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()[:16]


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a store in SQLite."""
    if not uri.startswith(SQLITE):
        return None
    return Path(unquote(uri.removeprefix(SQLITE).partition("?")[0]))


def sqlite_uri(file: Path) -> str:
    """Return the address of a store in SQLite, whatever stands in the path of its file."""
    return SQLITE + "".join(_SPECIAL.get(each, each) for each in str(file.absolute()))


def enter(uri: str) -> tuple[str, Path | None]:
    """Return an address that MLflow takes, and the folder it holds in; None: it holds anywhere.

    MLflow decodes the path of a SQLite file in one place and takes it as it stands in another, so
    a path that is not the same encoded is not given to it.
    """
    file = sqlite_file(uri)
    if file is None or uri == f"{SQLITE}{file}":
        return uri, None
    return f"{SQLITE}{file.name}", file.parent
