"""The files of a run that are kept with its MLflow run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.tracking.delivery_record import Delivery
    from orchestrator.tracking.reported_content import Scope
    from orchestrator.tracking.store import Store


def send_files(store: Store, directory: RunDirectory, delivery: Delivery, scope: Scope) -> Delivery:
    """Upload the files that have changed, and return the delivery record with them.

    It is written with the rest: a file that is sent twice is stored once.
    """
    files = files_of(directory, checkpoint=scope.checkpoint) if scope.artifacts else {}
    for name, path in files.items():
        now = _signature(path)
        if delivery.files.get(name) != now:
            store.send_file(delivery.mlflow_run_id, path, name)
            delivery = replace(delivery, files={**delivery.files, name: now})
    return delivery


def files_of(directory: RunDirectory, *, checkpoint: bool) -> dict[str, Path]:
    """Return the existing files to upload as artifacts, by artifact name."""
    files = {directory.config.name: directory.config, directory.results.name: directory.results}
    files |= {f"logs/{path.name}": path for path in directory.attempt_logs()}
    if checkpoint:
        files["checkpoints/best.pt"] = directory.best_checkpoint
    return {name: path for name, path in files.items() if path.is_file() and not path.is_symlink()}


def _signature(path: Path) -> str:
    """Return a value that changes whenever a file does."""
    found = path.stat()
    return f"{found.st_size}:{found.st_mtime_ns}"
