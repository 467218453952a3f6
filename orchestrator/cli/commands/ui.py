"""``orch ui``: serves MLflow's web page for the experiment's store, on this machine only."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.absent_runs import no_runs_in
from orchestrator.cli.lookup import source_of
from orchestrator.errors import UsageError
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.extras import MLFLOW
from orchestrator.planning.load import open_experiment
from orchestrator.tracking.delivery_record import (
    describe_wrong_file,
    enter,
    mlflow_experiment_id,
    sqlite_file,
)
from orchestrator.tracking.destination import find_destination, store_uri
from orchestrator.tracking.mlflow_page_columns import columns_of, share_view
from orchestrator.tracking.reporter_handle import MLFLOW_ENVIRONMENT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from rich.console import Console

_HOST: Final = "127.0.0.1"
_SERVER: Final = (sys.executable, "-P", "-m", "mlflow", "ui")
_PAUSE: Final = 0.25
_GRACE: Final = 5.0


def ui(options: argparse.Namespace, console: Console) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        UsageError: Nothing has been reported yet, or the port is taken.
    """
    if not MLFLOW.is_installed:
        raise UsageError(MLFLOW.request("orch ui"))
    described, experiment = open_experiment(source_of(options))
    uri = store_uri(experiment, described.settings.tracking)
    if uri.startswith(("http://", "https://")):
        console.print(
            "The runs are reported to a tracking server (orch.tracking.uri): open its page."
        )
        return 0
    file = sqlite_file(uri)
    if file and not file.exists():
        what_to_do = (
            "Start runs with orch run."
            if described.settings.tracking.enabled
            else "Tracking is disabled: set orch.tracking.enabled=true in the config, and send what the"
            " runs have written with orch sync."
        )
        raise UsageError(
            f"there is no MLflow store in {experiment.results_dir} yet: nothing was reported."
            f" {what_to_do}"
        )
    if problem := describe_wrong_file(uri):
        raise UsageError(f"{problem}.")
    if not (runs := experiment.runs()):
        raise UsageError(f"{no_runs_in(experiment)}: MLflow's page has none to show.")
    _require_free(options.port)
    destination = find_destination(experiment, uri, is_own=not described.settings.tracking.uri)
    mlflow_experiment = mlflow_experiment_id(runs, destination)

    def page() -> str:
        return _page_of(mlflow_experiment, options.port, columns_of(runs))

    with StopRequests() as stop:
        server = _start(uri, options.port)
        try:
            return _watch(server, stop, options.port, page, console)
        finally:
            _end(server)


def _start(uri: str, port: int) -> subprocess.Popen[bytes]:
    address, folder = enter(uri)
    return subprocess.Popen(
        [*_SERVER, "--host", _HOST, "--port", str(port), "--workers", "1"],
        # The address of the store may hold a password, so it is not passed as an argument. The page
        # needs none of the server's background services, which would be ten more processes.
        env={
            **MLFLOW_ENVIRONMENT,
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": address,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PYTHONSAFEPATH": "1",  # the server imports nothing from the current folder
        },
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _page_of(mlflow_experiment: str, port: int, columns: Sequence[str]) -> str:
    """Return where the runs of an experiment are on the page; its front page is about other things."""
    if not mlflow_experiment:
        return ""
    view = share_view(_HOST, port, mlflow_experiment, columns)
    return f"/#/experiments/{mlflow_experiment}/runs{view}"


def _watch(
    server: subprocess.Popen[bytes],
    stop: StopRequests,
    port: int,
    page: Callable[[], str],
    console: Console,
) -> int:
    """Print the address once the page is served, and wait for Ctrl-C."""
    told = False
    if console.is_terminal:
        console.print(f"starting MLflow's page on port {port}")
    while not stop.asked:
        if server.poll() is not None:
            raise UsageError(
                f"MLflow's server exited with code {server.returncode}."
                f" To see why: {shlex.join(_SERVER)} --port {port}"
            )
        if not told and _answers(port):
            address = f"http://{_HOST}:{port}{page()}"
            console.print(Text(f"MLflow's page: {address}  (Ctrl-C ends it)"), soft_wrap=True)
            told = True
        select.select([stop], [], [], _PAUSE)
    return 0


def _end(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_GRACE)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=_PAUSE):
        return True
    return False


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used: {error.strerror}. Choose another one with --port."
            ) from None
