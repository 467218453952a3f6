"""The workshop: builds a run directory beside its place, from where it is renamed into it."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.grid.identity import Run

# What the orchestrator reads in a config; the run has no use for it.
_NOT_TRAINED: Final = ("hydra", "_filters", "orch")


def build(run: Run, workshop: Path) -> None:
    """Make a run directory in ``workshop``, complete and on the disk, for ``publish``.

    Raises:
        OSError: The disk does not take it; nothing is left behind.
    """
    text = config_yaml.write(
        {key: value for key, value in run.written.items() if key not in _NOT_TRAINED}
    )
    identity = {
        "schema": records.SCHEMA,
        "run_id": run.run_id,
        "digest": run.digest,
        "overrides": dict(run.overrides),
        "created_at": records.now(),
        "config_sha256": hashlib.sha256(text).hexdigest(),
    }
    workshop.mkdir()
    made = RunDirectory(workshop)
    try:
        durable.write_file(made.config, text)
        durable.write_file(made.identity, records.dump(identity))
        made.lock.path.touch()
        durable.sync_directory(workshop)
    except BaseException:
        shutil.rmtree(workshop, ignore_errors=True)
        raise


def publish(workshop: Path, path: Path) -> None:
    """Rename a run directory that was built to ``path``, where it is complete at once.

    Its name survives a power cut as soon as the runner has seen to it: no sooner is there anything
    to lose.

    Raises:
        OSError: The disk does not take it.
    """
    workshop.rename(path)
