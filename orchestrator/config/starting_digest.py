"""The digest of what a run of the trainer begins with, so that its content counts in the run ID.

A config with ``init_from`` gets ``init_from_digest``, an interpolation that refers to it: the value
follows the axes, wherever they are.
"""

from __future__ import annotations

import errno
import hashlib
import json
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf, open_dict

from orchestrator.rundir import durable
from orchestrator.rundir.program_files import RESULTS

SOURCE: Final = "init_from"
DIGEST: Final = "init_from_digest"
RESOLVER: Final = "orch.digest_of"
_CONFIG: Final = "config.yaml"
_OTHER_PROGRAMS: Final = ("app", "command", "entry_point")
_known: dict[tuple[str, int, int], str] = {}  # of files, by path, size and time of modification


class StartingWeightsError(Exception):
    """What a run is to begin with cannot be used."""


def add_digest(cfg: DictConfig) -> None:
    """Add the digest to a config whose program is the trainer, if it has the one key, but not the other."""
    if SOURCE not in cfg.keys() or DIGEST in cfg.keys():  # noqa: SIM118 # a key without a value is there
        return
    settings = cfg.get("orch")
    if isinstance(settings, DictConfig) and any(settings.get(key) for key in _OTHER_PROGRAMS):
        return
    if not OmegaConf.has_resolver(RESOLVER):
        OmegaConf.register_new_resolver(RESOLVER, digest_of_source)
    with open_dict(cfg):
        cfg[DIGEST] = f"${{{RESOLVER}:${{{SOURCE}}}}}"


def digest_of_source(path: object) -> str | None:
    """Return the digest of a run or a file, as the trainer computes it; None if this is not a path.

    Raises:
        StartingWeightsError: There is no such file, or the run is not done.
    """
    if not isinstance(path, str) or not path:
        return None  # the trainer says so, if it is wrong
    source = Path(path)
    try:
        return _of_run(source) if source.is_dir() else _of_file(source)
    except OSError as error:
        reason = error.strerror or str(error)
    raise StartingWeightsError(f"{path}: {reason}. Correct {SOURCE}")


def _of_file(path: Path) -> str:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        key = str(path.absolute()), found.st_size, found.st_mtime_ns
        if key not in _known:
            _known[key] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    return _known[key]


def _of_run(run_dir: Path) -> str:
    if not (run_dir / RESULTS).exists():
        is_run = (run_dir / _CONFIG).is_file()
        what = "the run is not done" if is_run else "it is not a run directory"
        advice = "Run it to its end, or name a checkpoint" if is_run else f"Correct {SOURCE}"
        raise StartingWeightsError(f"{run_dir}: {what}. {advice}")
    content = durable.read_file(run_dir / RESULTS)
    with suppress(ValueError, KeyError, TypeError):
        results: Any = json.loads(content)
        return f"run:{results['digest']}:{results['best']['iteration']}"
    raise StartingWeightsError(
        f"{run_dir}: {RESULTS} is not that of the trainer. Name a file with weights"
    )
