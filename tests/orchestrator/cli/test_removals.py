"""What is said of removed run directories."""

import pytest
from rich.console import Console

from orchestrator.cli.removals import tell_removals
from orchestrator.grid.identity import RunId
from orchestrator.rundir.run_summary import Report
from orchestrator.rundir.state import NOTHING_THERE


@pytest.mark.parametrize(("number", "named"), [(1, 1), (3, 3), (41, 1)])
def test_runs_are_named(number: int, named: int) -> None:
    """Of many only those that were kept, which the user did not ask for."""
    run_ids = [RunId(f"{it:016x}") for it in range(number)]
    reports = [Report(it, {"lr": place}, "", NOTHING_THERE) for place, it in enumerate(run_ids)]
    console = Console(width=200)
    kept = {run_ids[-1]: "a process of it is live"} if number > 1 else {}
    with console.capture() as captured:
        tell_removals(reports, kept, console)
    *lines, end = captured.get().splitlines()
    assert len(lines) == named
    removed = number - len(kept)
    assert end.startswith(f"{removed} of {number} run director")
    if kept:
        assert lines[-1] == f"kept {run_ids[-1]}  lr={number - 1}: a process of it is live"
    else:
        assert lines == [f"removed {run_ids[0]}  lr=0"]
