"""The contract of ``orch plan --json``: scripts depend on these names and their meaning."""

import json
import re
import subprocess
from pathlib import Path

from forked_orch import run_orch

CONFIG = """\
results_dir: results
experiment_id: digits
model: {name: Cnn10}
optimizer: {lr: 0.1}
batch_size: 32
_filters:
  - model.name == "Cnn10" ! optimizer.lr > 0.1
  - optimizer.lr > 0.001 ! batch_size < 32 & model.name == "Cnn10"
"""
NO_TRACKING = ["+orch.tracking.enabled=false"]
GRID = ["optimizer.lr=0.001,0.1,0.3", "batch_size=16,32", "+seed=0,0"]


def _orch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    Path(folder, "conf").mkdir(exist_ok=True)
    Path(folder, "conf", "config.yaml").write_text(CONFIG, encoding="utf-8")
    return run_orch(*arguments, folder=folder)


def test_plan_as_json_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    """Every field that was promised is there, with its type and its value."""
    done = _orch(tmp_path, "plan", "--json", *GRID)
    assert (done.returncode, done.stderr) == (0, "")
    plan = json.loads(done.stdout)
    rows = plan.pop("runs")
    promised = {
        "schema": 1,
        "experiment_id": "digits",
        "directory": "results/digits/training",
        "points": 12,
        "duplicates": 3,
        "states": {"pending": 3, "running": 0, "stale": 0, "failed": 0, "done": 0},
        "filters": [
            {"filter": 'model.name == "Cnn10" ! optimizer.lr > 0.1', "excluded": 4},
            {
                "filter": 'optimizer.lr > 0.001 ! batch_size < 32 & model.name == "Cnn10"',
                "excluded": 2,
            },
        ],
    }
    assert {key: plan[key] for key in promised} == promised
    assert [row["overrides"] for row in rows] == [
        {"optimizer.lr": 0.001, "batch_size": 16, "seed": 0},
        {"optimizer.lr": 0.001, "batch_size": 32, "seed": 0},
        {"optimizer.lr": 0.1, "batch_size": 32, "seed": 0},
    ]
    for row in rows:
        assert re.fullmatch("[0-9a-f]{16}", row["run_id"])
        assert (row["state"], row["action"]) == ("pending", "run")
        assert row["reason"] == "it has not run yet"


def test_planning_writes_nothing(tmp_path: Path) -> None:
    """Not a file and not a folder is left behind."""
    assert _orch(tmp_path, "plan", *GRID).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conf"]


def test_what_the_user_can_mend_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    """Errors go to stderr, without a traceback."""
    done = _orch(tmp_path, "plan", "batch_sizee=3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "orch: cannot override 'batch_sizee': there is no such key. Did you mean 'batch_size'?"
        " To add a key, write +batch_sizee=...\n"
    )


def test_filter_error_shows_the_place_with_a_caret(tmp_path: Path) -> None:
    """The caret stands under the character that is wrong."""
    done = _orch(tmp_path, "plan", '_filters=["batch_size => 3 ! model.name == 1"]')
    assert done.returncode == 2
    message, line, caret = done.stderr.splitlines()
    assert message == "orch: filter, character 12: '=' is not an operator; equality is '=='."
    assert line[caret.index("^")] == "="


def test_what_has_changed_since_is_told_with_its_keys(tmp_path: Path) -> None:
    """Run directories that the grid no longer names are compared with the runs of now."""
    ran = _orch(tmp_path, "run", "batch_size=32,64", "+orch.command=[/bin/echo]", *NO_TRACKING)
    assert (ran.returncode, ran.stderr) == (0, "")
    plan = json.loads(_orch(tmp_path, "plan", "--json", "batch_size=32,64").stdout)
    assert plan["states"]["done"] == 2
    assert plan["changes"] == {"former": 0, "compared": 0, "dropped": 0, "keys": []}
    done = _orch(tmp_path, "plan", "--json", "batch_size=32,64", "optimizer.lr=0.05")
    change = {"key": "optimizer.lr", "before": "0.1", "now": "0.05", "runs": 2}
    assert json.loads(done.stdout)["changes"] == {
        "former": 2,
        "compared": 2,
        "dropped": 0,
        "keys": [change],
    }


def test_options_of_plan_choose_what_is_listed(tmp_path: Path) -> None:
    """Every option prints, and an unknown state is refused."""
    for options in (["--all"], ["--state", "pending"], ["--excluded"], ["--reasons"]):
        done = _orch(tmp_path, "plan", *options, *GRID)
        assert (done.returncode, done.stderr) == (0, "")
        assert "12 points | 6 excluded | 3 duplicates | 3 runs" in done.stdout
    assert _orch(tmp_path, "plan", "--state", "lost").returncode == 2
