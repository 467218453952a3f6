"""MLflow's page, as ``orch ui`` serves it, shows a grid in a real browser."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), "")
VALUES = [1, 5, 2, 7, 3, 9, 1, 4, 8, 2, 6, 3]  # no three in a line: the chart would leave one out
CONFIG = """\
results_dir: results
experiment_id: pages
seed: 0
model: {{width: 128}}
orch: {{command: [{python}, {program}]}}
"""
PROGRAM = f"""\
import json, os
with open(os.environ["ORCH_RUN_DIR"] + "/metrics.jsonl", "w") as file:
    for step, value in enumerate({VALUES}, 1):
        point = {{"key": "loss", "value": value, "step": step, "timestamp": 1767225600000 + 1000 * step}}
        file.write(json.dumps(point) + "\\n")
"""
LINE = re.compile(r'class="js-line" d="M([^"]+)"')

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not BROWSER, reason="there is no Chromium to look at the page with"),
    pytest.mark.filterwarnings("ignore"),  # MLflow's own
]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """Return the address of the page on a grid of two runs, while it is served."""
    (tmp_path / "conf").mkdir()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    (tmp_path / "conf/config.yaml").write_text(
        CONFIG.format(python=sys.executable, program=program)
    )
    command = [sys.executable, "-m", "orchestrator"]
    subprocess.run([*command, "run", "seed=0,1", "--quiet"], cwd=tmp_path, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving = [*command, "ui", f"--port={port}"]
    with subprocess.Popen(serving, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        said = server.stdout.readline()
        assert f"http://127.0.0.1:{port}/#/experiments/1/runs?viewStateShareKey=orch " in said, said
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=30) in {0, 130}
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                pytest.fail("somebody serves the page still")


def look(address: str, profile: Path) -> str:
    """Return what stands on a page once its scripts have fetched all they want."""
    switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"]
    waiting = ["--virtual-time-budget=30000", "--dump-dom"]
    command = [BROWSER, *switches, f"--user-data-dir={profile}", *waiting, address]
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=120,
    ).stdout


def test_page_shows_runs_their_parameters_and_a_metric_over_all_iterations(
    page: str, tmp_path: Path
) -> None:
    """The experiment with both runs, a run with its config, the curve with every point."""
    client = MlflowClient(f"sqlite:///{tmp_path}/results/mlflow.db")
    experiment = client.get_experiment_by_name("pages")
    assert experiment is not None
    number = experiment.experiment_id
    run = client.search_runs([number])[0].info.run_id
    profile = tmp_path / "browser"
    runs = look(f"{page}/#/experiments/{number}/runs?viewStateShareKey=orch", profile)
    assert {"pages", "seed=0", "seed=1"} <= {*re.findall(r"pages|seed=\d", runs)}
    shown = {*re.findall(r">(Metrics|loss|Parameters|seed|User)<", runs)}
    assert shown == {"Metrics", "loss", "Parameters", "seed", "User"}
    assert "orch run seed=0,1" in runs
    overview = look(f"{page}/#/experiments/{number}/runs/{run}", profile)
    assert re.search(r"model\.width.*\b128\b", overview, re.DOTALL)
    query = f"runs=[%22{run}%22]&metric=%22loss%22&experiments=[%22{number}%22]"
    chart = look(f"{page}/#/metric?{query}&plot_metric_keys=[%22loss%22]", profile)
    (first, *_) = LINE.findall(chart)
    drawn = [tuple(map(float, place.split(","))) for place in first.split("L")]
    assert len(drawn) == len(VALUES)
    # In pixels, downwards from the highest value.
    low, high = min(y for _, y in drawn), max(y for _, y in drawn)
    a_step, a_unit = drawn[-1][0] / (len(VALUES) - 1), (high - low) / (max(VALUES) - min(VALUES))
    for step, ((x, y), value) in enumerate(zip(drawn, VALUES, strict=True)):
        assert x == pytest.approx(step * a_step, abs=0.1)
        assert y == pytest.approx(low + (max(VALUES) - value) * a_unit, abs=0.1)
