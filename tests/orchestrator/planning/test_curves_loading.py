"""Curves are read of the runs that are drawn."""

import json
from pathlib import Path

from orchestrator.planning.curves_loading import read_curves_of
from orchestrator.planning.results_table import compare
from orchestrator.planning.run_results import RunResults
from orchestrator.rundir.state import State


def test_only_files_of_runs_that_are_drawn_are_read(tmp_path: Path) -> None:
    """A pending run has no directory, and a failed one no line."""
    runs = []
    for state in State:
        folder = tmp_path / state.value
        folder.mkdir()
        point = {"key": "loss", "value": 1, "step": 1}
        (folder / "metrics.jsonl").write_text(json.dumps(point))
        metrics = {"loss": 1.0} if state is State.DONE else None
        runs.append(RunResults({"n": state.value}, metrics, path=str(folder), state=state))
    found = read_curves_of(compare(runs).rows)
    assert {Path(path).name for path in found} == {"done", "running", "running?", "stale"}
    assert all(curves == {"loss": {1: 1.0}} for curves in found.values())
