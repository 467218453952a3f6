"""Programs that pause, but report how far they are in ways of their own, are done only at their ends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from forked_orch import run_orch
from thinning import combined

CONFIG = """\
results_dir: results
experiment_id: foreign
lr: 0.1
reports: exactly
iterations: 6
orch:
  tracking: {enabled: false}
  command: [sh, loop.sh, "{lr}", "{reports}"]
"""
# It pauses after the very iteration in each case, and has six of them.
LOOP = """\
lr=$1 reports=$2 stop=${ORCH_STOP_AFTER:-6}
cd "$ORCH_RUN_DIR"
tell() { echo "{\\"iteration\\": $1, \\"iterations\\": 6}" > progress.tmp; mv progress.tmp progress.json; }
done=0; test -e state && read -r done < state
while test "$done" -lt 6; do
  test "$reports" = late && tell "$done"
  echo "{\\"key\\": \\"loss\\", \\"value\\": $lr, \\"step\\": $done, \\"timestamp\\": 1}" >> metrics.jsonl
  test "$reports" = from-zero && tell "$done"
  done=$((done + 1))
  echo "$done" > state
  test "$reports" = exactly && tell "$done"
  test "$reports" = standstill && tell 0
  test "$done" -ge "$stop" && exit 0
done
exit 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    (tmp_path / "loop.sh").write_text(LOOP)
    return tmp_path


def orch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_orch(*arguments, folder=folder)


def ends(folder: Path) -> dict[float, tuple[str, int]]:
    """Return what is recorded of every run, and how many iterations its program has done."""
    found = {}
    for each in (folder / "results/foreign/training").glob("[0-9a-f]*"):
        lr = json.loads((each / "run.json").read_text())["overrides"]["lr"]
        record = json.loads((each / "status.json").read_text())["state"]
        found[lr] = record, int((each / "state").read_text())
    return found


@pytest.mark.parametrize(
    ("option", "reports"),
    combined(
        option=("--halving=loss:min:3", "--order=breadth:2"),
        reports=("exactly", "from-zero", "late", "nothing"),
    ),
)
def test_run_is_done_only_at_its_end(folder: Path, option: str, reports: str) -> None:
    grid = ("lr=0.1,0.2,0.3", f"reports={reports}")
    ended = orch(folder, "run", *grid, option)
    assert "ORCH_STOP_AFTER" not in ended.stdout  # each pauses
    assert all(it == ("done", 6) for it in ends(folder).values() if it[0] == "done"), ended.stdout
    if option.startswith("--halving"):
        assert ends(folder)[0.1] == ("done", 6)
        assert all(it[1] < 6 for lr, it in ends(folder).items() if lr != 0.1)
        assert ended.returncode == 0
    ended = orch(folder, "run", *grid)
    assert ended.returncode == 0
    assert set(ends(folder).values()) == {("done", 6)}


def test_program_that_never_tells_that_it_comes_further_fails_in_one_line(folder: Path) -> None:
    """Otherwise it would be started without end."""
    ended = orch(folder, "run", "lr=0.1,0.2", "reports=standstill", "--order=breadth:2")
    assert ended.returncode == 1
    assert "after 0 of 6 iterations, was to pause after iteration 2" in ended.stdout
    assert {record for record, _ in ends(folder).values()} == {"failed"}
    assert orch(folder, "run", "lr=0.1,0.2", "reports=standstill").returncode == 0
    assert set(ends(folder).values()) == {("done", 6)}


WITHOUT_PROGRESS = """\
lr=$1 stop=${ORCH_STOP_AFTER:-6} done=0
cd "$ORCH_RUN_DIR"
test -e state && read -r done < state
while test "$done" -lt 6 && test "$done" -lt "$stop"; do
  done=$((done + 1))
  echo "{\\"key\\": \\"loss\\", \\"value\\": $lr, \\"step\\": $done, \\"timestamp\\": 1}" >> metrics.jsonl
  echo "$done" > state
  test "$done" = 3 && test "$lr" = 0.1 && test -e ../../../../kill && rm ../../../../kill && kill -9 "$PPID" $$
done
exit 0
"""


def test_run_without_progress_that_was_killed_beyond_its_rung_keeps_its_place(folder: Path) -> None:
    """Its values tell how far it is, and no worse run goes on in its place."""
    (folder / "loop.sh").write_text(WITHOUT_PROGRESS)
    (folder / "kill").touch()
    grid = ("lr=0.1,0.2,0.3,0.4", "--halving=loss:min:2:2", "--workers=1")
    ended = orch(folder, "run", *grid)
    assert not (folder / "kill").exists()
    ended = orch(folder, "run", *grid)
    assert ended.returncode == 0, ended.stdout
    assert ends(folder)[0.1] == ("done", 6)
    assert {ends(folder)[lr] for lr in (0.3, 0.4)} == {("interrupted", 2)}
    assert ends(folder)[0.2] == ("interrupted", 4)
