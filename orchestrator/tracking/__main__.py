"""The reporter's process: ``python -m orchestrator.tracking RESULTS_DIR EXPERIMENT_ID``.

``ORCH_TRACKING_URI`` is the store's address, ``ORCH_TRACKING_OPTIONS`` selects what to send.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.credential_check import without_passwords
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.tracking.delivery_record import enter
from orchestrator.tracking.destination import find_destination
from orchestrator.tracking.git_source import read_sources
from orchestrator.tracking.reported_content import Scope
from orchestrator.tracking.reporter import Orders, Reporter, report
from orchestrator.tracking.store_variables import split_login

if TYPE_CHECKING:
    from collections.abc import Sequence


class _RedactingFormatter(logging.Formatter):
    """Formats a log line without the passwords of addresses."""

    def format(self, record: logging.LogRecord) -> str:
        return without_passwords(super().format(record))


def _silence_mlflow() -> int:
    """Redirect MLflow's output to the log and silence it; return a descriptor for messages."""
    messages = os.dup(1)
    os.dup2(2, 1)
    os.set_blocking(messages, False)
    written = logging.StreamHandler()
    written.setFormatter(_RedactingFormatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[written], force=True)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name in ("mlflow", "alembic", "urllib3", "sqlalchemy"):
        # Their errors are raised as well, and reported in one line.
        logging.getLogger(name).handlers = []
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return messages


def log_in(uri: str) -> str:
    """Pass the user and password of a server's address to MLflow; return the address without them."""
    address, login = split_login(uri)
    os.environ.update(login)
    return address


def main(arguments: Sequence[str]) -> int:
    """Report ``RESULTS_DIR EXPERIMENT_ID`` to the store that ``ORCH_TRACKING_URI`` names.

    ``ORCH_TRACKING_OPTIONS`` contains words: ``end`` (send what is there and exit), ``artifacts``,
    ``checkpoint``, ``share``, and ``own`` (the store lies in the results folder).
    """
    results_dir, experiment_id = Path(arguments[0]).absolute(), arguments[1]
    # MLflow's modules live to the end: collecting garbage among them takes a tenth of the time.
    gc.disable()
    from orchestrator.tracking.store import Store  # noqa: PLC0415 # see above

    gc.freeze()
    gc.enable()
    messages = _silence_mlflow()
    given = os.environ["ORCH_TRACKING_URI"]
    options = os.environ.get("ORCH_TRACKING_OPTIONS", "").split()
    experiment = ExperimentDirectory(results_dir, experiment_id)
    uri, folder = enter(given)
    if folder is not None:
        os.chdir(folder)
    scope = Scope(
        find_destination(experiment, given, is_own="own" in options, keep=True),
        experiment_id,
        lambda: read_sources(experiment.path),
        artifacts="artifacts" in options,
        checkpoint="checkpoint" in options,
        share="share" in options,
    )
    reporter = Reporter(experiment, Store(log_in(uri), experiment_id, results_dir), scope, messages)
    orders = Orders.END if "end" in options else Orders.CONTINUE
    return report(reporter, experiment.path, orders)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    # Everything is delivered and recorded; finalizing MLflow's thousands of modules is slow.
    os._exit(code)
