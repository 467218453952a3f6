"""The store in the results folder: created atomically, and moved with the folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from orchestrator.errors import OrchestratorError
from orchestrator.tracking import sqlite_bulk_access
from orchestrator.tracking.delivery_record import FILES, describe_wrong_file, sqlite_file

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

logger = logging.getLogger(__name__)


def create_store(uri: str) -> None:
    """Create a SQLite store under a temporary name, and rename it: an incomplete one is unusable.

    Raises:
        OrchestratorError: Something else has its name.
    """
    if problem := describe_wrong_file(uri):
        raise OrchestratorError(problem)
    path = sqlite_file(uri)
    if path is None or path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 # not for servers

    unfinished = path.with_name(f".{path.name}.new")
    for leftover in unfinished.parent.glob(f"{unfinished.name}*"):
        leftover.unlink()
    unfinished.touch()  # with the permissions of the umask: SQLite's own would exclude the group
    # MLflow writes this into SQL as it is; in a URI, quotes and colons are escaped.
    default = Path("mlruns").absolute().as_uri()
    made = SqlAlchemyStore(f"sqlite:///{unfinished}", default)  # type: ignore[no-untyped-call] # MLflow left it untyped
    made.engine.dispose()
    unfinished.rename(path)


def update_after_move(engine: Engine, uri: str, results_dir: Path, artifacts: str) -> None:
    """Update the artifact paths of a store that was moved together with its results folder.

    ``artifacts`` is the artifact location of an experiment. A store records absolute paths, which
    point to the old location after a move or a copy.
    """
    file, place = sqlite_file(uri), urlsplit(artifacts)
    folder = Path(unquote(place.path))
    is_own = file is not None and file.resolve().parent == results_dir.resolve()
    is_file = place.scheme in ("", "file") and folder.name == FILES
    if not (is_own and is_file) or _nearest(folder).is_relative_to(results_dir.resolve()):
        return
    now = files_uri(results_dir)
    sqlite_bulk_access.move_files(engine, artifacts, now)
    logger.warning(
        "the results folder was moved: its MLflow store kept files in %s, and now keeps them in %s",
        folder,
        results_dir.absolute() / FILES,
    )


def files_uri(results_dir: Path) -> str:
    """Return the artifact location of a store in a results folder."""
    return (results_dir / FILES).absolute().as_uri()


def _nearest(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.exists()), path).resolve()
