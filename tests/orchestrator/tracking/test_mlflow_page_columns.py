"""The table on MLflow's page shows the metrics and the axes of an experiment."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.rundir.directory import RunDirectory
from orchestrator.tracking.mlflow_page_columns import columns_of, share_view


class Server(http.server.BaseHTTPRequestHandler):
    """Keeps what was posted; refuses what the experiment 7 is about."""

    posted: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posted.append((self.path, content))
        self.send_response(404 if content["experiment_id"] == "7" else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    Server.posted = []
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_columns_are_named_as_what_was_sent(directory: RunDirectory) -> None:
    """A result that the training reports too is another quantity; what is damaged is left out."""
    (directory.path / "progress.json").write_text(
        '{"iteration": 3, "iterations": 3, "metrics": {"loss": 1, "a`b": 2}}'
    )
    directory.results.write_text('{"test": {"loss": 0.5, "test/accuracy": 0.9}}')
    missing = RunDirectory(directory.path.with_name("0" * 16))
    user, source, *others, axis = columns_of([missing, directory])
    assert (user, source) == ("attributes.`User`", "attributes.`Source`")
    assert others[:3] == ["metrics.`test/loss`", "metrics.`test/accuracy`", "metrics.`loss`"]
    assert others[3].startswith("metrics.`a_b-")
    assert axis == "params.`seed`"


def test_view_is_set_as_a_tag_of_the_experiment(port: int) -> None:
    assert share_view("127.0.0.1", port, "3", ["metrics.`loss`"]) == "?viewStateShareKey=orch"
    ((path, content),) = Server.posted
    assert path == "/api/2.0/mlflow/experiments/set-experiment-tag"
    assert content["key"] == "mlflow.sharedViewState.orch"
    assert json.loads(content["value"]) == {"selectedColumns": ["metrics.`loss`"]}


def test_page_is_served_without_a_view_if_that_fails(port: int) -> None:
    assert share_view("127.0.0.1", port, "7", []) == ""
    assert share_view("127.0.0.1", 1, "3", []) == ""
