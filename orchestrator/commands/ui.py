"""``orch ui``: MLflow's web page on the experiment's store, on this machine only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.config import load_experiment
from orchestrator.errors import UsageError
from orchestrator.experiment import ExperimentDirectory
from orchestrator.tracking.process import store_uri

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

_HOST: Final = "127.0.0.1"
_SQLITE: Final = "sqlite:///"


def ui(options: argparse.Namespace, console: Console) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        UsageError: Nothing has been reported yet, or the port is taken.
    """
    described = load_experiment(Path(options.config_dir), options.config_name, options.overrides)
    experiment = ExperimentDirectory(described.results_dir, described.experiment_id)
    uri = store_uri(experiment, described.settings.tracking.uri)
    if uri.startswith(("http://", "https://")):
        console.print(
            "The runs are reported to a tracking server (orch.tracking.uri): open its page."
        )
        return 0
    if uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).exists():
        raise UsageError(
            f"there is no MLflow store in {experiment.results_dir} yet. First: orch run"
        )
    _require_free(options.port)
    page = f"http://{_HOST}:{options.port}"
    console.print(Text(f"MLflow's page: {page}  (Ctrl-C ends it)"))
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "ui",
            "--host",
            _HOST,
            "--port",
            str(options.port),
            "--workers",
            "1",
        ],
        # The address may hold a password, so it is no argument.
        env={**os.environ, "MLFLOW_BACKEND_STORE_URI": uri},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used ({error.strerror}). Choose another one with --port."
            ) from None
