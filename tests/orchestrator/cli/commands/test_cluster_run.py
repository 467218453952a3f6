"""``orch run`` with ``orch.slurm``, on a stand-in for Slurm whose jobs are processes here."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.errors import IncoherentLocksError, UsageError
from orchestrator.rundir.state import Status
from orchestrator.slurm.submission_records import PilotsFolder

from .conftest import GRID, Grid

STAND_IN = Path(__file__).parents[2] / "slurm/stand_in_slurm.py"
SCRIPT = """
import json, os, sys
run_dir = os.environ["ORCH_RUN_DIR"]
with open(f"{run_dir}/results.json", "w") as file:
    json.dump({"test": {"sum": sum(map(float, sys.argv[1:3]))}}, file)
with open("executed", "a") as file:
    print(os.environ.get("SETUP"), os.environ.get("SECRET"), os.environ.get("NAMED"), file=file)
"""
SETTINGS = """\
orch:
  command: [python, train.py, "{lr}", "{seed}"]
  tracking: {enabled: false}
  workers: 1
  slurm: {pilots: 2, setup: ["export SETUP=set"], export: [NAMED]}
"""


@pytest.fixture(autouse=True)
def slurm(grid: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a stand-in for Slurm, and set up the grid for it."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for command in ("sbatch", "squeue", "scancel"):
        shutil.copy(STAND_IN, folder / command)
        text = (folder / command).read_text()
        (folder / command).write_text(f"#!{sys.executable} -S\n{text}")
        (folder / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.chdir(grid.folder)
    (grid.folder / "train.py").write_text(SCRIPT)
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(SETTINGS)
    return folder


def calls(slurm: Path) -> list[str]:
    return (slurm / "calls").read_text().splitlines() if (slurm / "calls").exists() else []


def count(slurm: Path, command: str) -> int:
    return sum(line.split()[0] == command for line in calls(slurm))


def end_pilots(slurm: Path) -> None:
    """Wait for the pilots that a test has left."""
    for path in slurm.glob("job-*"):
        pid = path.read_text().split()[0]
        while pid != "-" and Path(f"/proc/{pid}").exists():
            time.sleep(0.002)


def test_pilots_execute_the_runs(grid: Grid, slurm: Path, output: Callable[[], str]) -> None:
    assert grid.orch("run", *GRID) == ExitCode.DONE
    said = output()
    assert "4 of 4 runs are done." in said
    assert said.count("done  ") == 4
    assert sorted(run.outcome().results["sum"] for run in grid.experiment.runs()) == [
        *(0.1, 0.2, 1.1, 1.2)
    ]
    assert count(slurm, "sbatch") == 1
    jobs = {
        status.job
        for run in grid.experiment.runs()
        if isinstance(status := run.read_status(), Status)
    }
    assert jobs <= {"1000", "1001"}
    end_pilots(slurm)
    output()
    assert grid.orch("run", *GRID) == ExitCode.DONE
    assert "Nothing to do: all 4 runs are done." in output()
    assert count(slurm, "sbatch") == 1


def test_request_is_what_was_set(grid: Grid, slurm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable reaches a pilot that is not named; the stand-in exports all, so its options tell."""
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("NAMED", "y")
    grid.orch("run", "lr=1", "orch.slurm.sbatch=['--gres=gpu:1']", "orch.slurm.time=2h")
    line = next(
        line for line in calls(slurm) if line.startswith("sbatch")
    )  # a busy machine may need more
    words = line.split()
    assert {"--parsable", "--gres=gpu:1", "--no-requeue", "--time=0-02:00:00"} <= set(words)
    assert {"--signal=B:TERM@120", "--job-name=orch-grid-NONCE", "--array=0-0"} <= set(words)
    (exported,) = (word for word in words if word.startswith("--export="))
    assert "NAMED" in exported.partition("=")[2].split(",")
    assert "SECRET" not in line
    assert (grid.folder / "executed").read_text().split()[0] == "set"
    end_pilots(slurm)


def test_failure_ends_the_run_for_all_pilots(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    (grid.folder / "train.py").write_text("open('tries', 'a').write('x')\nraise ValueError('no')\n")
    assert grid.orch("run", "lr=1,2,3") == ExitCode.FAILED
    assert "0 of 3 runs are done, 3 failed." in output()
    assert (grid.folder / "tries").read_text() == "xxx"
    end_pilots(slurm)


def test_detached_pilots_go_on_and_are_watched_again(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    (slurm / "hold").touch()
    assert grid.orch("run", *GRID, "--detach") == ExitCode.DONE
    said = output()
    assert "2 pilots: 2 waiting" in said
    assert "4 runs are left. They go on." in said
    assert grid.orch("status", *GRID) == 0
    assert "2 pilots: 2 waiting (Priority)" in output()
    assert grid.orch("status", *GRID, "--json") == 0
    pilots = json.loads(output())["pilots"]
    assert [(pilot["state"], pilot["reason"]) for pilot in pilots] == [("PENDING", "Priority")] * 2
    assert grid.orch("run", *GRID, "--detach") == ExitCode.DONE
    assert count(slurm, "sbatch") == 1


@pytest.mark.parametrize("options", [["--detach"], ["--prepare"]])
def test_other_runs_are_refused_while_pilots_wait_for_those_before(
    grid: Grid, slurm: Path, output: Callable[[], str], options: list[str]
) -> None:
    """The pilots would execute the new ones only, and nobody the others."""
    (slurm / "hold").touch()
    assert grid.orch("run", *GRID, "--detach") == ExitCode.DONE
    with pytest.raises(UsageError, match=r"2 pilots .* execute 2 runs that would be left out now"):
        grid.orch("run", "lr=0.1,7", "seed=0,1", *options)
    assert grid.orch("run", "lr=0.1,0.2,7", "seed=0,1", *options) == ExitCode.DONE
    assert grid.orch("stop", *GRID) == 0
    assert grid.orch("run", "lr=7", "--prepare") == ExitCode.DONE
    output()


def test_stop_withdraws_pilots_that_wait(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    (slurm / "hold").touch()
    grid.orch("run", *GRID, "--detach")
    output()
    assert grid.orch("stop") == 0
    assert "Asked every orch run of grid to stop" in output()
    assert any("--state=PENDING" in line for line in calls(slurm) if line.startswith("scancel"))
    (token,) = PilotsFolder(grid.experiment.path).tokens()
    assert PilotsFolder(grid.experiment.path).is_withdrawn(token.nonce)
    (slurm / "hold").unlink()
    assert grid.orch("run", *GRID) == ExitCode.DONE  # the ended ones are replaced
    assert count(slurm, "sbatch") == 2
    end_pilots(slurm)


def test_pilot_that_was_withdrawn_starts_nothing(
    grid: Grid, slurm: Path, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (slurm / "hold").touch()
    grid.orch("run", *GRID, "--detach")
    grid.orch("stop")
    (token,) = PilotsFolder(grid.experiment.path).tokens()
    monkeypatch.setenv("ORCH_PILOT", token.nonce)
    output()
    assert grid.orch("run", *GRID, "--prepare") == 0
    from orchestrator.cli.main import call  # noqa: PLC0415

    assert call(["work", str(grid.experiment.path)]) == ExitCode.DONE
    assert "This pilot was withdrawn" in output()
    assert not (grid.folder / "executed").exists()


@pytest.mark.parametrize("flags", [[], ["--detach"]])
def test_refusal_is_told_at_once(
    grid: Grid, slurm: Path, output: Callable[[], str], flags: list[str]
) -> None:
    (slurm / "fault-sbatch").write_text(
        "sys.exit('sbatch: error: Batch job submission failed: Invalid account')"
    )
    assert grid.orch("run", *GRID, *flags) == ExitCode.LEFT
    said = output()
    assert "Slurm refuses to start pilots: Batch job submission failed: Invalid account" in said
    assert "0 of 4 runs are done, 4 left" in said


def test_pilots_that_cannot_start_are_given_up(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.slurm.pilots._SHORTEST", 0.2)
        settings = "orch.slurm.setup=['echo no such module','exit 1']"
        assert grid.orch("run", *GRID, settings) == ExitCode.LEFT
    said = output()
    assert "pilots in a row ended within a minute without starting a run" in said
    assert "The last one says: no such module" in said
    assert count(slurm, "sbatch") <= 3


def test_pilot_that_meets_locks_which_do_not_reach_ends_it_for_all(grid: Grid, slurm: Path) -> None:
    """The message is that of the pilot; nothing is tried again."""
    work = "orchestrator.slurm.submission_records.PilotsFolder(__import__('pathlib').Path('results/grid'))"
    script = f"import orchestrator.slurm.submission_records, os; {work}.note_refusal(os.environ['ORCH_PILOT'], 0, 'no')"
    line = f'exec {sys.executable} -c "{script}"'
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(f"line: {json.dumps(line)}\n")
    with pytest.raises(IncoherentLocksError, match=r"^no$"):
        grid.orch("run", *GRID, "orch.slurm.setup=['${line}']")
    assert count(slurm, "sbatch") == 1
    end_pilots(slurm)


def test_cluster_is_asked_for_in_the_plan(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    assert grid.orch("plan", *GRID) == 0
    assert "slurm: a pilot could start at 2030-01-01T00:00:00" in output()
    assert grid.orch("plan", *GRID, "--json") == 0
    (kind,) = json.loads(output())["slurm"]["kinds"]
    assert (kind["accepted"], kind["starts_at"]) == (True, "2030-01-01T00:00:00")
    (slurm / "fault-sbatch").write_text("sys.exit('allocation failure: Invalid partition')")
    kinds = "orch.slurm.sbatch=[['--partition=a'],['--partition=b']]"
    assert grid.orch("plan", *GRID, kinds) == 0
    said = output()
    assert "slurm: kind 2, --partition=b: Slurm refuses it: allocation failure: Invalid" in said
    (slurm / "fault-sbatch").write_text("sys.exit(1)")
    assert grid.orch("plan", *GRID) == 0
    assert "slurm: Slurm does not answer" in output()
    assert not grid.experiment.path.exists()


def test_gpu_hours_are_limited(grid: Grid, slurm: Path, output: Callable[[], str]) -> None:
    with pytest.raises(UsageError, match="how long the runs take is not known yet"):
        grid.orch("run", *GRID, "--max-gpu-hours", "5")
    assert count(slurm, "sbatch") == 0
    assert grid.orch("run", "lr=0.1", "seed=0,1", "orch.slurm=null") == ExitCode.DONE
    for run in grid.experiment.runs():
        status = run.read_status()
        assert isinstance(status, Status)
        content = json.loads((run.path / "status.json").read_text())
        content |= {
            "started_at": "2026-01-01T00:00:00+00:00",
            "ended_at": "2026-01-01T01:00:00+00:00",
            "seconds": 3600.0,
        }
        (run.path / "status.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"the 2 runs take about 2 GPU-hours\. Allow more"):
        grid.orch("run", "lr=0.1", "seed=0,1,2,3", "--max-gpu-hours", "1")
    output()
    grid.orch("plan", "lr=0.1", "seed=0,1,2,3")
    assert "slurm: about 2 GPU-hours (" in output()
    assert grid.orch("run", "lr=0.1", "seed=0,1,2", "--max-gpu-hours", "5") == ExitCode.DONE
    end_pilots(slurm)


def test_host_without_slurm_is_told(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    if shutil.which("sbatch"):
        monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="sbatch is not on the PATH"):
        grid.orch("run", *GRID)


LONG = """
import json, os, signal, sys, time
saved = os.path.join(os.environ["ORCH_RUN_DIR"], "progress.json")
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
while not asked:
    time.sleep(0.05)
with open(saved, "w") as file:
    json.dump({"iteration": 1, "iterations": 2, "metrics": {}, "saved": 1}, file)
sys.exit(1)
"""


@pytest.mark.parametrize("on_interrupt", ["detach", "cancel"])
def test_interrupt_detaches_or_cancels(grid: Grid, slurm: Path, on_interrupt: str) -> None:
    (grid.folder / "train.py").write_text(LONG)
    words = ["run", "lr=1", f"orch.slurm.on_interrupt={on_interrupt}"]
    command = [sys.executable, "-m", "orchestrator", "--config-dir", "conf", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as orch:
        assert orch.stdout
        for line in orch.stdout:
            if line.split()[:1] == ["run"]:
                break
        orch.send_signal(signal.SIGINT)
        rest = orch.stdout.read()
    assert orch.returncode == ExitCode.INTERRUPTED
    (run,) = grid.experiment.runs()
    is_left = on_interrupt == "detach"
    assert ("1 runs are left. They go on." in rest) is is_left
    assert run.lock.is_held() is is_left
    if is_left:
        grid.orch("stop")
        while run.lock.is_held():
            time.sleep(0.002)
    end_pilots(slurm)


def test_preparing_is_refused_while_pilots_are_submitted_for_other_runs(
    grid: Grid,
) -> None:
    """What they execute would be replaced under them."""
    folder = PilotsFolder(grid.experiment.path)
    assert grid.orch("run", "lr=1", "--prepare") == 0
    assert folder.become_controller()
    before = (grid.experiment.path / "work.json").read_bytes()
    with pytest.raises(UsageError, match=r"another orch run submits pilots .* orch stop"):
        grid.orch("run", *GRID, "--prepare")
    assert (grid.experiment.path / "work.json").read_bytes() == before
    folder.leave()
    assert grid.orch("run", *GRID, "--prepare") == 0


@pytest.mark.parametrize("way", ["rerun", "changed"])
def test_runs_are_executed_again_by_pilots(
    grid: Grid, slurm: Path, output: Callable[[], str], way: str
) -> None:
    """From nothing; the others, and their results, stay as they are."""
    assert grid.orch("run", *GRID) == ExitCode.DONE
    end_pilots(slurm)
    first = grid.experiment.runs()[0]
    made = {run.run_id: run.read_created_at() for run in grid.experiment.runs()}
    program = grid.folder / "train.py"
    program.write_text(program.read_text().replace("sum(map", "100 + sum(map"))
    again = ("rerun", first.run_id) if way == "rerun" else ("run", *GRID, "--rerun-changed")
    output()
    assert grid.orch(*again) == ExitCode.DONE
    end_pilots(slurm)
    assert "from nothing" in (said := output()) or "by other code" in said
    repeated = [run for run in grid.experiment.runs() if run.outcome().results["sum"] >= 100]
    assert len(repeated) == (1 if way == "rerun" else 4)
    assert all(run.observe().attempts == 1 for run in grid.experiment.runs())
    changed = [run for run in grid.experiment.runs() if run.read_created_at() != made[run.run_id]]
    assert [run.run_id for run in changed] == [run.run_id for run in repeated]
    assert not grid.experiment.replaced.path.exists()
    assert count(slurm, "sbatch") == 2


def test_rerun_that_was_detached_names_the_command_that_watches_it(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    assert grid.orch("run", *GRID) == ExitCode.DONE
    end_pilots(slurm)
    (slurm / "hold").touch()
    first = grid.experiment.runs()[0]
    output()
    assert grid.orch("rerun", first.run_id, "--detach") == ExitCode.DONE
    assert f"replace the pilots with orch rerun {first.run_id} --config-dir" in output()
    grid.orch("stop")
    (slurm / "hold").unlink()
    assert grid.orch("rerun", first.run_id) == ExitCode.DONE
    assert count(slurm, "sbatch") == 3  # those that were withdrawn are replaced
    assert not grid.experiment.replaced.path.exists()
    end_pilots(slurm)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_variable_that_reaches_no_pilot_is_named_before_anything_is_submitted(
    grid: Grid,
    slurm: Path,
    output: Callable[[], str],
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pilot would fail hours later, when its turn in the queue comes."""
    monkeypatch.setenv("DATA", "/data")
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("data: ${oc.env:DATA}\nother: ${oc.env:OTHER,default}\nhome: ${oc.env:HOME}\n")
    (slurm / "fault-sbatch").write_text("sys.exit('sbatch: error: Invalid account')")
    grid.orch(command, "lr=1")
    assert "refers to the environment variable DATA, which pilots do not get" in output()
    grid.orch(command, "lr=1", "orch.slurm.export=[DATA]")
    assert "pilots do not get" not in output()
    assert slurm.exists()


def test_variable_of_the_file_that_pilots_read_needs_no_export(
    grid: Grid, slurm: Path, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", "/data")
    (grid.folder / ".env").write_text("DATA=/data\n")
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("data: ${oc.env:DATA}\n")
    (slurm / "fault-sbatch").write_text("sys.exit('sbatch: error: Invalid account')")
    grid.orch("plan", "lr=1", "+orch.env_file=.env")
    assert "pilots do not get" not in output()


def test_quiet_run_prints_no_changes_of_pilots(
    grid: Grid, slurm: Path, output: Callable[[], str]
) -> None:
    assert grid.orch("run", "lr=1", "--quiet") == ExitCode.DONE
    end_pilots(slurm)
    assert output() == "1 of 1 run is done.\n"
