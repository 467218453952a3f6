"""Extending: a run begins with the iterations of another that differs only in their number.

`run.json` names the runs that may be extended. The newest checkpoint that can be used is linked, or
copied, and the points of its iterations are copied: each file is there complete or not at all, and
after a kill in between, the rest is repeated.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from trainer.changed_code import find_changed
from trainer.checkpoints.reading import (
    NAME,
    Unusable,
    open_checkpoint,
    read_checkpoint,
    verify_checkpoint,
)
from trainer.durable_files import (
    TEMPORARY,
    NewFile,
    make_folder,
    read_plain,
    replace_file,
    sync_folder,
)
from trainer.numbers_version import NUMBERS, numbers_of
from trainer.run_files import (
    CHECKPOINTS,
    EARLIER,
    EXTENDED,
    METRICS,
    RESULTS,
    copy_points,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

IDENTITY: Final = "run.json"
RUN_ID: Final = re.compile(r"[0-9a-f]{16}")
READS: Final = "its callbacks read trainer.settings.iterations, trainer.config or trainer.cfg"


class Ancestor(NamedTuple):
    """A checkpoint of another run to begin with: its files, the oldest first, and its points' keys."""

    run_dir: Path
    iteration: int
    files: tuple[Path, ...]
    keys: frozenset[str]


def begin_from_another(run_dir: Path, fingerprint: str, iterations: int) -> bool:
    """Take over the first iterations of another run, if there is one; return whether there was.

    Args:
        run_dir: The run, which has no checkpoint.
        fingerprint: What its checkpoints are known by; those of the other run have the same.
        iterations: The number of its iterations: later checkpoints cannot be used.
    """
    names = _named_in(run_dir)
    if not names or not _is_untouched(run_dir):
        return False
    source = _find(run_dir, names, fingerprint, iterations)
    if source is None:
        return False
    try:
        _take_over(source, run_dir)
    except FileNotFoundError:  # it was removed meanwhile
        return begin_from_another(run_dir, fingerprint, iterations)
    say(f"extends run {source.run_dir.name} from iteration {source.iteration}")
    return True


def read_extended(run_dir: Path) -> dict[str, Any] | None:
    """Return the ID and the iteration of the run that a run extends; None if it extends none."""
    with suppress(OSError, ValueError):
        found = json.loads(read_plain(run_dir / EXTENDED))
        return {"run_id": found["run_id"], "iteration": found["iteration"]}
    return None


def _named_in(run_dir: Path) -> list[str]:
    """Return the IDs of the runs that `run.json` allows to extend."""
    with suppress(OSError, ValueError, AttributeError):
        named = json.loads(read_plain(run_dir / IDENTITY)).get("extends")
        if isinstance(named, list):
            return [each for each in named if isinstance(each, str) and RUN_ID.fullmatch(each)]
    return []


def _is_untouched(run_dir: Path) -> bool:
    """Return whether a run has not begun, or was killed while it took over another."""
    if read_extended(run_dir) is not None:
        return True
    return not any((run_dir / name).exists() for name in (METRICS, RESULTS, EARLIER))


def _find(run_dir: Path, names: list[str], fingerprint: str, iterations: int) -> Ancestor | None:
    """Return the checkpoint with the most iterations that can be used."""
    folders = [run_dir.parent / name for name in names]
    files = [
        (int(found[1]), path)
        for folder in folders
        if _is_of_this_code(folder)
        for path in _paths_in(folder / CHECKPOINTS)
        if (found := NAME.fullmatch(path.name)) and int(found[1]) <= iterations
    ]
    for iteration, path in sorted(files, reverse=True):
        try:
            return _look_at(path, iteration, fingerprint)
        except Unusable as reason:
            say(
                f"{path.parent.parent.name} cannot be extended from iteration {iteration}: {reason}"
            )
    return None


def _is_of_this_code(run_dir: Path) -> bool:
    changed = find_changed(run_dir)
    if changed is not None:
        say(f"{run_dir.name} cannot be extended: {changed} has changed since")
    return changed is None


def _paths_in(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        if not folder.is_symlink() and not folder.parent.is_symlink():
            yield from [*folder.iterdir()]


def _look_at(path: Path, iteration: int, fingerprint: str) -> Ancestor:
    """Return a checkpoint as a source.

    Raises:
        Unusable: If it is damaged, or does not tell how a run with another length would have begun.
    """
    content = read_checkpoint(path).state
    state, best_of = content.get("state"), content.get("best_of")
    if content.get("is_only_best") or not isinstance(state, dict) or not isinstance(best_of, dict):
        raise Unusable("only its weights are saved")
    if content.get("fingerprint") != fingerprint:
        raise Unusable("it has another configuration")
    if numbers_of(state) != NUMBERS:
        raise Unusable(f"it has numbers {numbers_of(state)}, this version computes {NUMBERS}")
    if state.get("total_read", True):
        raise Unusable(READS if "total_read" in state else "an earlier version did not watch it")
    files = [path]
    best = best_of.get(iteration)
    if best not in (None, iteration):
        files.insert(0, _best(path.parent, best))
    keys = frozenset(point[0] for point in state["history"]["points"])
    return Ancestor(path.parent.parent, iteration, tuple(files), keys)


def _best(folder: Path, iteration: int) -> Path:
    """Return the undamaged checkpoint of the best iteration, which the test may need."""
    for path in sorted(_paths_in(folder)):
        found = NAME.fullmatch(path.name)
        if found and int(found[1]) == iteration:
            return verify_checkpoint(path)
    raise Unusable(f"its best iteration, {iteration}, is missing")


def _take_over(source: Ancestor, run_dir: Path) -> None:
    """Take over points and checkpoints, the newest one last: with it, the run has begun.

    Raises:
        FileNotFoundError: If the other run is being removed.
        OSError: If it cannot be written.
    """
    told = {"schema": 1, "run_id": source.run_dir.name, "iteration": source.iteration}
    replace_file(run_dir / EXTENDED, json.dumps(told).encode() + b"\n", durable=True)
    copy_points(source.run_dir, run_dir, source.iteration, source.keys)
    sync_folder(run_dir)
    folder = run_dir / CHECKPOINTS
    make_folder(folder)
    for path in source.files:
        _link(path, folder / path.name)
        sync_folder(folder)


def _link(path: Path, new: Path) -> None:
    """Give a checkpoint a second name, or copy it on file systems without hard links."""
    try:
        new.hardlink_to(path)
    except FileExistsError:
        return  # before a kill; it is verified before it is used
    except FileNotFoundError:
        raise
    except OSError:
        temporary = new.with_name(f"new.pt{TEMPORARY}")
        with open_checkpoint(path) as original, NewFile(temporary) as copy:
            shutil.copyfileobj(original, cast("IO[bytes]", copy), 1 << 20)
            copy.become(new, durable=True)
