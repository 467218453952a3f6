"""What a program leaves in its run directory: progress, metrics, results and checkpoints."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records, run_metrics
from orchestrator.rundir.run_metrics import Outcome
from orchestrator.rundir.run_metrics import read_outcome as read
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.rundir.state import Progress

PROGRESS: Final = "progress.json"
METRICS: Final = "metrics.jsonl"
RESULTS: Final = "results.json"
_CHECKPOINTS: Final = "checkpoints"
_BEST: Final = f"{_CHECKPOINTS}/best.pt"  # of the trainer

# What ``signs`` returns as long as a program has reported nothing.
NO_SIGNS: Final[tuple[object, ...]] = ((), (), ())
# How frameworks and people name a state that a training can continue from.
_STATE: Final = (
    r"(?i).*\.(ckpt|pt|pth|pth\.tar|bin|safetensors|pkl|pickle|npz|h5|hdf5|keras|joblib|msgpack|distcp)"
    r"|.*(checkpoint|ckpt|snapshot).*|(last|latest|state)([._-].*)?"
)
_PARTIAL: Final = (".tmp", ".part", ".partial")
# What orch, the trainer and Hydra write is not a state of a program.
_NOT_ITS: Final = frozenset(
    (
        "config.yaml",
        "run.json",
        "run.lock",
        "note.json",
        "logs",
        "earlier",
        PROGRESS,
        METRICS,
        RESULTS,
    )
)
_DEEPEST: Final = 5
_MOST: Final = 2000  # names; a program may keep thousands of samples in its run directory


def read_progress(run_dir: str) -> Progress | None:
    """Return the progress that a program reports, or None."""
    with contextlib.suppress(OSError):
        return records.parse_progress(durable.read_file(f"{run_dir}/{PROGRESS}"))
    return None


def read_outcome(run_dir: str, *, whole: bool) -> Outcome:
    """Return the metrics and results that a program left; ``whole`` as in ``run_metrics``."""
    return read_reported(run_dir, whole=whole)[1]


def read_reported(run_dir: str, *, whole: bool = False) -> tuple[Progress | None, Outcome]:
    """Return both, with one read of what both are about."""
    refused: list[str] = []
    found = run_metrics.read_record(f"{run_dir}/{PROGRESS}", refused)
    files = (f"{run_dir}/{METRICS}", f"{run_dir}/{RESULTS}")
    progress = records.as_progress(found)
    known = None if progress is None else progress.metrics
    return progress, read(found, *files, whole=whole, refused=refused, known=known)


def read_figure(run_dir: str, metric: str) -> float | None:
    """Return one metric as ``read_outcome`` finds it, or None; reads as few files as it takes."""
    files = (f"{run_dir}/{name}" for name in (PROGRESS, METRICS, RESULTS))
    return run_metrics.read_figure(metric, *files)


def signs(run_dir: str) -> tuple[object, ...]:
    """Return a value that changes whenever the program reports anything."""
    return tuple(stat_of(f"{run_dir}/{name}") for name in (PROGRESS, METRICS, RESULTS))


def has_saved(run_dir: str) -> bool:
    """Return whether a program has saved something that it could resume from."""
    reported = read_progress(run_dir)
    if reported is not None and reported.saved is not None:
        return reported.saved > 0
    return bool(find_checkpoint(run_dir))


def find_checkpoint(run_dir: str) -> str:
    """Return the relative path of what the program could resume from; empty if there is nothing.

    That is anything complete in ``checkpoints/``, or else a file or folder elsewhere in the run directory
    that is named like a checkpoint. Of several, it is the newest one that is not called the best.
    """
    found = [each for each in _entries(f"{run_dir}/{_CHECKPOINTS}") if _is_whole(each.name)]
    newest = max(found or _states_in(run_dir), key=_age, default=None)
    return "" if newest is None else printable(newest.path[len(run_dir) + 1 :])


def _states_in(run_dir: str) -> Iterator[os.DirEntry[str]]:
    """Yield what is named like a checkpoint anywhere in a run directory, among its first names."""
    left = _MOST
    folders = [(run_dir, 0)]
    while folders:
        folder, depth = folders.pop()
        for entry in _entries(folder):
            left -= 1
            if left < 0:
                return
            if not _is_whole(entry.name) or (depth == 0 and _is_not_its(entry.name)):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if re.fullmatch(_STATE, entry.name) and not (is_folder and _is_empty(entry.path)):
                yield entry
            elif is_folder and depth < _DEEPEST:
                folders.append((entry.path, depth + 1))


def _age(entry: os.DirEntry[str]) -> tuple[bool, int, str]:
    """Return what orders checkpoints, the one to resume from last."""
    try:
        written = entry.stat(follow_symlinks=False).st_mtime_ns
    except OSError:  # a live program replaces it
        written = 0
    return "best" not in entry.name.lower(), written, entry.name


def find_best_checkpoint(run_dir: str) -> str:
    """Return the relative path of the checkpoint of the best iteration; empty if there is none."""
    there = stat_of(f"{run_dir}/{_BEST}") and not os.path.islink(f"{run_dir}/{_CHECKPOINTS}")  # noqa: PTH114
    return _BEST if there else ""


def stat_of(path: str) -> tuple[int, ...]:
    """Return a value that changes with a file; an empty tuple if there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 # faster, and called 10,000 times
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder; none if it is a link or cannot be read."""
    with contextlib.suppress(OSError):
        if not os.path.islink(folder):  # noqa: PTH114 # as above
            with os.scandir(folder) as entries:
                yield from entries


def _is_whole(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(_PARTIAL)


def _is_not_its(name: str) -> bool:
    return name in _NOT_ITS or name.startswith("status.json")


def _is_empty(folder: str) -> bool:
    return not any(_is_whole(entry.name) for entry in _entries(folder))
