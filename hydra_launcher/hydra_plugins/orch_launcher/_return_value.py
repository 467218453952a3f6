"""The return value of a task function, which a callback of Hydra's writes into the run directory."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hydra.core.utils import JobStatus
from hydra.experimental.callback import Callback

from orchestrator.rundir import durable

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

NAME: Final = "return_value.json"
# The override that lets an app call the callback.
CALLBACK: Final = (
    "+hydra.callbacks.orch_return_value._target_="
    "hydra_plugins.orch_launcher._return_value.WriteReturnValue"
)
_SCALARS: Final = (type(None), bool, int, float, str)

log = logging.getLogger(__name__)


class WriteReturnValue(Callback):
    """Writes what the task function has returned."""

    def on_job_end(self, config: Any, job_return: JobReturn, **kwargs: Any) -> None:  # noqa: ANN401 # of the callbacks of Hydra
        """Write the return value, unless the function raised an exception."""
        _ = config, kwargs
        run_dir = os.environ.get("ORCH_RUN_DIR")
        if run_dir and job_return.status is JobStatus.COMPLETED:
            write(Path(run_dir), job_return.return_value)


def write(run_dir: Path, value: object) -> None:
    """Write a value that JSON can hold; another one is not written, and that is logged."""
    try:
        text = json.dumps({"value": _plain(value)})
    except (TypeError, ValueError):
        kind = type(value).__name__
        log.warning("the return value is a %s, which is not recorded: return numbers", kind)
        return
    durable.write_file(run_dir / NAME, text.encode(), lasting=False)


def read(run_dir: Path) -> tuple[bool, Any]:
    """Return whether a value is recorded, and the value."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(durable.read_file(run_dir / NAME))
        if isinstance(found, dict) and "value" in found:
            return True, found["value"]
    return False, None


def _plain(value: Any) -> Any:  # noqa: ANN401 # any value
    """Return a value as one of JSON: numbers of NumPy and PyTorch become Python's.

    Raises:
        TypeError: It cannot be written as JSON.
    """
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    item = getattr(value, "item", None)
    if callable(item):
        found = item()
        if isinstance(found, _SCALARS):
            return found
    raise TypeError(type(value).__name__)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("a key is not a string")
    return key
