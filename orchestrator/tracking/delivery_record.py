"""The delivery record of a run: what has arrived at MLflow, in a file beside its directory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from orchestrator.rundir import durable, records
from orchestrator.rundir.state import State
from orchestrator.tracking.metrics_file_points import (
    START,
    FilePosition,
    count_points_after,
    has_points_after,
)
from orchestrator.tracking.note_tags import note_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation


FILES: Final = "mlartifacts"  # the artifact folder of a store in a results folder
SQLITE: Final = "sqlite:///"
_USER: Final = re.compile(r"(?<=://)[^/@]*@")
_MLFLOW_RUN_ID: Final = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")  # as MLflow checks it
_LARGEST: Final = 2**63
NO_ITERATION: Final = -1
_SPECIAL: Final = {"%": "%25", "?": "%3F", "#": "%23"}  # in the path of a SQLite URI


@dataclass(frozen=True, slots=True)
class Delivery:
    """What of a run has arrived at MLflow.

    ``store`` identifies the MLflow store, ``experiment`` the experiment in it, and ``created_at`` the
    reported run directory. ``place`` is the position in ``metrics.jsonl`` up to which points have
    arrived, ``told`` the state and attempt that MLflow has, and ``files`` the artifacts with their
    sizes and times. ``folder`` is the identity of the experiment's folder, if the store is shared
    with others, and ``start`` the start of the MLflow run in ms. ``iteration`` is that of the progress
    whose metrics have arrived, and ``note`` has the tags of the note that have.
    ``shared``: programs log to the MLflow run themselves; ``sent_keys`` are
    then the keys of the points that did not come from them.
    """

    store: str
    experiment: str
    created_at: str
    mlflow_run_id: str
    place: FilePosition = START
    told: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    start: int = 0
    iteration: int = NO_ITERATION
    note: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    sent_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """The store that the runs of an experiment's folder are reported to.

    ``store`` identifies the store. ``folder`` is the identity of the experiment's folder; empty if
    the store lies in the results folder, so that a copy of the folder has its own store. ``files``
    is the folder of the store's artifacts, if known.
    """

    store: str
    folder: str = ""
    files: Path | None = None


def read_delivery(directory: RunDirectory, destination: Destination) -> Delivery | None:
    """Return the delivery record of a run; None if there is none, or it is invalid.

    Artifacts that were removed from the store count as not arrived.
    """
    found = _read(directory, destination)
    if found and found.files and destination.files is not None:
        folder = f"{destination.files}/{found.mlflow_run_id}/artifacts"
        kept = {
            name: signature
            for name, signature in found.files.items()
            if os.path.lexists(f"{folder}/{name}")  # faster, for 10,000 runs
        }
        if len(kept) < len(found.files):
            return replace(found, told="", files=kept)
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
                start, iteration = found.get("start", 0), found.get("iteration", NO_ITERATION)
                makes_sense = (
                    0 <= offset < _LARGEST
                    and type(start) is int
                    and type(iteration) is int
                    and _MLFLOW_RUN_ID.fullmatch(run_id)
                )
                if not makes_sense:
                    return None
                place = FilePosition(offset, tail)
                return Delivery(
                    *(known, experiment, created_at, run_id, place, told, files),
                    folder=destination.folder,
                    start=start,
                    iteration=iteration,
                    note=_parse_note(found.get("note")),
                    shared=found.get("shared") is True,
                    sent_keys=_keys(found.get("sent_keys")),
                )
    return None


def _parse_note(found: object) -> Mapping[str, str]:
    if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
        return found
    return {}


def _keys(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def mlflow_experiment_id(runs: Iterable[RunDirectory], destination: Destination) -> str:
    """Return the ID that MLflow gave the experiment of some runs; empty if nothing has arrived."""
    found = (read_delivery(directory, destination) for directory in runs)
    return next((each.experiment.partition(":")[0] for each in found if each), "")


def write_delivery(directory: RunDirectory, delivery: Delivery) -> None:
    """Write the delivery record; if a power failure undoes this, points are merely sent again."""
    durable.make_folder(directory.delivery.parent)
    durable.write_file(directory.delivery, records.dump(asdict(delivery)), lasting=False)


def state_to_report(seen: Observation) -> str:
    """Return the state and attempt to report to MLflow; empty for a pending run."""
    return "" if seen.state is State.PENDING else f"{seen.state.value}:{seen.attempts}"


def is_behind(directory: RunDirectory, seen: Observation, delivery: Delivery | None) -> bool:
    """Return whether something of the run has not arrived yet."""
    if seen.state is State.PENDING:
        return False
    if delivery is None or delivery.told != state_to_report(seen):
        return True
    # If the directory is newer, the sender checks whether it really is another one.
    if note_tags(directory) != delivery.note or directory.was_made_after(directory.delivery):
        return True
    if delivery.shared and seen.state is State.RUNNING:
        return False  # what its program does not log is sent at the end of the attempt
    if has_progress(seen, delivery):
        return True
    is_over = seen.state is State.DONE
    return has_points_after(directory.metrics, delivery.place.offset, is_over=is_over)


def has_progress(seen: Observation, delivery: Delivery) -> bool:
    """Return whether the progress has metrics of an iteration that was not looked at yet."""
    if seen.progress is None or not seen.progress.metrics:
        return False
    is_settled = seen.state is State.DONE and delivery.told == state_to_report(seen)
    return seen.progress.iteration != delivery.iteration and not is_settled


def count_waiting(directory: RunDirectory, delivery: Delivery | None) -> int:
    """Return the number of points of a run that have not arrived yet."""
    return count_points_after(directory.metrics, delivery.place.offset if delivery else 0)


def store_name(uri: str) -> str:
    """Return an identifier of a store that does not reveal its address.

    It depends neither on the password nor on the spelling of a file's path.
    """
    file = sqlite_file(uri)
    address = f"{SQLITE}{file.resolve()}" if file else _USER.sub("", uri)
    return hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()[:16]


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for other stores."""
    if not uri.startswith(SQLITE):
        return None
    return Path(unquote(uri.removeprefix(SQLITE).partition("?")[0]))


def describe_wrong_file(uri: str) -> str:
    """Return what is wrong with the file of a SQLite store; empty if nothing is.

    SQLite would wait forever for a pipe, and MLflow for minutes until a folder becomes a database.
    """
    file = sqlite_file(uri)
    if file is None or file.is_file() or not file.exists():
        return ""
    return f"{file}: it is not a regular file, so it cannot be MLflow's store. Move it away"


def sqlite_uri(file: Path) -> str:
    """Return the address of a SQLite store, whatever characters its path contains."""
    return SQLITE + "".join(_SPECIAL.get(each, each) for each in str(file.absolute()))


def enter(uri: str) -> tuple[str, Path | None]:
    """Return an address for MLflow, and the folder in which it is valid; None: in any folder.

    MLflow decodes the path of a SQLite file in one place but not in another, so a path with encoded
    characters is replaced by a relative one.
    """
    file = sqlite_file(uri)
    if file is None or uri == f"{SQLITE}{file}":
        return uri, None
    return f"{SQLITE}{file.name}", file.parent
