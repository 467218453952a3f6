"""``orch run --prepare`` and ``orch work``: the runs of a grid, executed without its config folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.main import call
from orchestrator.errors import ConfigError, RunDirectoryError, UsageError
from orchestrator.planning.work_file import open_work
from orchestrator.rundir import directory as rundir
from orchestrator.rundir.state import Failure, Record, State

from .conftest import GRID, Grid

SCRIPT = """
import json, os, sys
run_dir = os.environ["ORCH_RUN_DIR"]
with open(f"{run_dir}/results.json", "w") as file:
    json.dump({"test": {"sum": sum(map(float, sys.argv[1:3]))}}, file)
with open("arguments", "a") as file:
    print(*sys.argv[3:], file=file)
"""
SETTINGS = """\
orch:
  command: [python, train.py, "{lr}", "{seed}", "{overrides}"]
  tracking: {enabled: false}
"""


@pytest.fixture(autouse=True)
def program(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs be executed by a script, in the folder of the grid."""
    monkeypatch.chdir(grid.folder)
    (grid.folder / "train.py").write_text(SCRIPT)
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write(SETTINGS)


def prepare(grid: Grid, *arguments: str) -> int:
    return grid.orch("run", *(arguments or GRID), "--prepare")


def work(grid: Grid, *options: str) -> int:
    return call(["work", str(grid.experiment.path), *options])


def test_preparing_creates_the_directories_and_starts_nothing(
    grid: Grid, output: Callable[[], str]
) -> None:
    assert prepare(grid) == 0
    assert output() == (
        f"4 runs are prepared. Execute them, on each machine: orch work {grid.experiment.path}\n"
    )
    states = [seen.state for seen in grid.experiment.observe(grid.experiment.run_ids()).values()]
    assert states == [State.PENDING] * 4
    assert grid.orch("run", *GRID, "--prepare", "--json") == 0
    said = json.loads(output())
    assert said == {
        "schema": 1,
        "runs": 4,
        "done": 0,
        "command": f"orch work {grid.experiment.path}",
    }


def test_work_needs_no_config_folder_and_computes_the_same(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directories say everything; the arguments of the program are those of ``orch run``."""
    prepare(grid)
    shutil.rmtree(grid.folder / "conf")
    monkeypatch.chdir("/")
    assert work(grid, "--workers", "2") == 0
    assert "4 of 4 runs are done." in output()
    sums = sorted(run.outcome().results["sum"] for run in grid.experiment.runs())
    assert sums == [0.1, 0.2, 1.1, 1.2]
    given = sorted((grid.folder / "arguments").read_text().splitlines())
    assert given == sorted(f"lr={lr} seed={seed}" for lr in (0.1, 0.2) for seed in (0, 1))
    assert work(grid) == 0
    assert "Nothing to do: all 4 runs are done." in output()


def test_orch_run_continues_what_workers_have_left(grid: Grid, output: Callable[[], str]) -> None:
    """Both see the same run directories, and nothing that is done is executed twice."""
    prepare(grid, "lr=0.1", "seed=0,1")
    work(grid)
    output()
    assert grid.orch("run", *GRID) == 0
    assert output().count("done  ") == 2
    assert all(run.is_done() for run in grid.experiment.runs())
    assert len((grid.folder / "arguments").read_text().splitlines()) == 4


def test_second_preparation_adds_runs_and_keeps_what_is_done(
    grid: Grid, output: Callable[[], str]
) -> None:
    prepare(grid, "lr=0.1", "seed=0,1")
    work(grid)
    output()
    prepare(grid)
    assert output().startswith("4 runs are prepared, 2 of them done.")
    work(grid)
    assert len((grid.folder / "arguments").read_text().splitlines()) == 4


def test_runs_have_commands_of_their_own(grid: Grid) -> None:
    (grid.folder / "conf/config.yaml").write_text(
        (grid.folder / "conf/config.yaml").read_text().replace("python,", '"${program}",')
        + f"program: {sys.executable}\n"
    )
    prepare(grid, f"program={sys.executable},/bin/true")
    assert work(grid) == 0
    assert len((grid.folder / "arguments").read_text().splitlines()) == 1


def test_secret_from_the_environment_is_read_where_the_run_is_executed(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = grid.folder / "conf/config.yaml"
    config.write_text(config.read_text().replace('"{seed}"', '"{key}"') + "key: ${oc.env:NUMBER}\n")
    monkeypatch.setenv("NUMBER", "5")
    prepare(grid, "lr=1")
    assert "5" not in json.dumps(
        json.loads((grid.experiment.path / "work.json").read_text())["orch"]
    )
    monkeypatch.setenv("NUMBER", "7")
    assert work(grid) == 0
    assert [run.outcome().results["sum"] for run in grid.experiment.runs()] == [8]


def test_variable_that_is_missing_here_is_named(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (grid.folder / "conf/config.yaml").open("a") as config:
        config.write("key: ${oc.env:NUMBER}\n")
    monkeypatch.setenv("NUMBER", "5")
    prepare(grid, "lr=1")
    monkeypatch.delenv("NUMBER")
    with pytest.raises(ConfigError, match=r"variable NUMBER is not set here.*on this machine"):
        work(grid)


def test_secret_given_as_a_value_cannot_be_prepared(grid: Grid) -> None:
    with pytest.raises(UsageError, match=r"^api_key is a secret .*oc.env:NAME"):
        prepare(grid, "+api_key=sk-abcdefghijklmnopqrstuvwx")
    assert not (grid.experiment.path / "work.json").exists()
    assert not grid.experiment.run_ids()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"schema": 2}', b'{"schema": 1, "runs": [{}]}', b"\xff" * 99]
)
def test_damaged_file_is_one_line(grid: Grid, content: bytes) -> None:
    prepare(grid)
    (grid.experiment.path / "work.json").write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"work\.json: it is damaged. Prepare it with"):
        work(grid)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("given", "overrides", 0), 3),
        (("given", "overrides", 0), {"lr": 1}),
        (("given", "overrides", 0), "\ud800"),
        (("given", "config_name"), "half \ud800"),
        (("given", "app"), "\0"),
        (("project",), "\0"),
        (("project",), "\ud800"),
        (("runs", 0, "run_id"), "\ud800"),
        (("runs", 0, "run_id"), "../../../elsewhere"),
        (("runs", 0, "run_id"), ""),
        (("runs", 0, "hydra_overrides", 0), None),
        (("runs", 0, "attempts"), True),
        (("runs", 0, "orch"), {"command": ["\ud800"]}),
        (("orch", "command"), ["true", "\ud800"]),
    ],
)
def test_value_of_another_kind_is_damage(
    grid: Grid, place: tuple[str | int, ...], value: object
) -> None:
    """JSON has strings that no command line can hold, and names that lead out of the experiment."""
    prepare(grid)
    path = grid.experiment.path / "work.json"
    content = json.loads(path.read_text())
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(RunDirectoryError, match=r"work\.json: it is damaged. Prepare it with"):
        work(grid)


def test_folder_in_place_of_the_file_is_one_line(grid: Grid) -> None:
    """As is a full disk."""
    (grid.experiment.path / "work.json").mkdir(parents=True)
    with pytest.raises(RunDirectoryError, match=r"work\.json: cannot be written .*\. Check the"):
        prepare(grid)


def test_folder_in_which_nothing_was_prepared(grid: Grid) -> None:
    with pytest.raises(UsageError, match=r"there is no such file\. Prepare it with orch run"):
        work(grid)


def test_project_that_is_not_on_this_machine(grid: Grid, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (grid.folder / "conf").rename(tmp_path / "elsewhere/conf")
    os.chdir(tmp_path / "elsewhere")
    call(["--config-dir", "conf", "run", "--prepare"])
    os.chdir(tmp_path)
    shutil.rmtree(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="same path on this machine"):
        work(grid)


def test_renamed_folder_is_refused(grid: Grid) -> None:
    prepare(grid)
    other = grid.experiment.path.with_name("other")
    grid.experiment.path.rename(other)
    with pytest.raises(UsageError, match="was prepared as grid"):
        call(["work", str(other)])


def test_sigterm_ends_a_worker_in_order(grid: Grid) -> None:
    """A cluster ends workers so; what was being executed is recorded, and another one continues it."""
    (grid.folder / "train.py").write_text("import time\nprint('on', flush=True)\ntime.sleep(600)\n")
    prepare(grid, "lr=1")
    command = [sys.executable, "-m", "orchestrator", "work", str(grid.experiment.path)]
    (run,) = grid.experiment.runs()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        for line in worker.stdout:
            if line.split()[:1] == ["run"]:
                break
        while not run.attempt_logs() or b"on" not in run.attempt_logs()[0].read_bytes():
            time.sleep(0.002)
        worker.send_signal(signal.SIGTERM)
        rest = worker.stdout.read()
    assert (worker.returncode, "1 left" in rest) == (ExitCode.DONE, True)
    status = run.read_status()
    assert isinstance(status, rundir.Status)
    assert status.record is Record.INTERRUPTED


def test_run_that_another_host_may_execute_is_left_alone(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is free here, but on a shared file system that may mean nothing."""
    prepare(grid, "lr=0.1", "seed=0,1")
    run = grid.experiment.runs()[0]
    run.write_status(rundir.Status(Record.RUNNING, 1, "then", "far", 1, boot_id="other"))
    for module in ("sharing_hosts", "lock_reach"):
        name = f"orchestrator.rundir.{module}.shared_file_system"
        monkeypatch.setattr(name, lambda _folder: "nfs4")
    output()
    assert work(grid) == ExitCode.LEFT
    said = output()
    assert "1 run is left alone: host far may be executing it" in said
    assert f"orch work {grid.experiment.path} --host-is-gone far" in said
    assert "1 of 2 runs are done, 1 left" in said
    with pytest.raises(UsageError, match="Such hosts are far"):
        work(grid, "--host-is-gone", "near")
    assert work(grid, "--host-is-gone", "far") == 0
    assert run.is_done()


def test_worker_starts_as_many_runs_as_it_may(grid: Grid, output: Callable[[], str]) -> None:
    prepare(grid)
    output()
    assert work(grid, "--runs", "3", "--workers", "2") == ExitCode.DONE
    said = output()
    assert "3 of 4 runs are done, 1 left" in said
    assert work(grid, "--runs", "3") == ExitCode.DONE


FAILING = "import sys\nopen('attempts', 'a').write('x')\nsys.exit('ValueError: no')\n"


def test_failure_is_not_retried_by_each_later_worker(grid: Grid, output: Callable[[], str]) -> None:
    """Who prepares again wants it retried; a worker that comes later does not."""
    (grid.folder / "train.py").write_text(FAILING)
    prepare(grid, "lr=1,2")
    assert work(grid) == ExitCode.FAILED
    output()
    for _ in range(2):
        assert work(grid) == ExitCode.FAILED
        assert "0 of 2 runs are done, 2 failed." in output()
    assert (grid.folder / "attempts").read_text() == "xx"
    prepare(grid, "lr=1,2,3")
    assert work(grid) == ExitCode.FAILED
    assert (grid.folder / "attempts").read_text() == "xxxxx"


def test_settled_failures_stand_beside_what_is_executed(
    grid: Grid, output: Callable[[], str]
) -> None:
    prepare(grid, "lr=1,2")
    run = grid.experiment.runs()[0]
    run.write_status(
        rundir.Status(Record.FAILED, 1, "then", "here", 1, failure=Failure("error", "no"))
    )
    output()
    assert work(grid) == ExitCode.FAILED
    assert "1 of 2 runs are done, 1 failed." in output()


@pytest.mark.parametrize(
    ("kind", "retries", "is_retried"),
    [("killed", 1, True), ("killed", 0, False), ("error", 1, False)],
)
def test_transient_failure_is_left_to_other_workers_as_often_as_it_is_retried(
    grid: Grid, kind: str, retries: int, *, is_retried: bool
) -> None:
    """A worker may have ended before it could retry the run."""
    grid.orch("run", "lr=1", "--prepare", "--retries", str(retries))
    (run,) = grid.experiment.runs()
    run.write_status(
        rundir.Status(Record.FAILED, 1, "then", "here", 1, failure=Failure(kind, "by signal 9"))
    )
    assert work(grid) == (ExitCode.DONE if is_retried else ExitCode.FAILED)
    assert run.is_done() is is_retried


def test_options_of_the_preparation_hold_for_the_workers(grid: Grid) -> None:
    grid.orch("run", "lr=1", "--prepare", "--timeout", "50", "--workers", "3")
    work_of = open_work(grid.experiment.path).work
    assert (work_of.settings.limits.timeout, work_of.settings.share.workers) == (50, 3)


def test_work_of_a_large_grid_is_read(grid: Grid) -> None:
    """What it takes for 10,000 runs is more than any record of a run."""
    prepare(grid)
    path = grid.experiment.path / "work.json"
    path.write_bytes(path.read_bytes() + b" " * 1_500_000)
    assert work(grid) == 0


SLOW = "import time\nprint('on', flush=True)\ntime.sleep(600)\n"


def test_worker_asks_its_runs_for_a_checkpoint_before_its_time_is_over(
    grid: Grid, output: Callable[[], str]
) -> None:
    (grid.folder / "train.py").write_text(SLOW)
    prepare(grid, "lr=1,2")
    output()
    assert work(grid, "--workers", "1", "--time", "2s") == ExitCode.DONE
    assert "time is nearly over" in output()
    statuses = [run.read_status() for run in grid.experiment.runs()]
    records = [status.record for status in statuses if isinstance(status, rundir.Status)]
    assert records == [Record.INTERRUPTED]


@pytest.mark.parametrize("is_said", [True, False])
def test_worker_in_a_job_of_slurm_finds_out_its_time(
    grid: Grid, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch, *, is_said: bool
) -> None:
    """Of newer versions of Slurm in a variable, of older ones from ``squeue``."""
    (grid.folder / "squeue").write_text('#!/bin/sh\necho "$*" >> asked; echo 0:02\n')
    (grid.folder / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{grid.folder}:{os.environ['PATH']}")
    prepare(grid, "lr=1")
    (grid.folder / "train.py").write_text(SLOW)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    if is_said:
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 2))
    assert work(grid) == ExitCode.DONE
    assert "1 left" in output()
    assert (grid.folder / "asked").exists() is not is_said


def test_worker_in_a_job_does_not_wait_for_the_runs_of_others(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An allocation costs; on a machine of one's own a worker waits, to continue what others leave."""
    prepare(grid, "lr=1,2")
    run = grid.experiment.runs()[0]
    run.write_status(rundir.Status(Record.RUNNING, 1, "then", "here", 1))
    descriptor = run.lock.open()
    run.lock.take(descriptor)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 2000))
    try:
        assert work(grid) == ExitCode.DONE
    finally:
        os.close(descriptor)
    assert [each.is_done() for each in grid.experiment.runs()] == [False, True]


def test_attempt_sees_its_job_and_no_rank(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    (grid.folder / "train.py").write_text(
        "import os\nprint(*(name for name in os.environ if 'SLURM' in name or 'CUDA' in name))\n"
    )
    prepare(grid, "lr=1")
    ranks = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_ID", "SLURM_TASKS_PER_NODE", "PMI_RANK")
    kept = ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES")
    for name in (*ranks, *kept):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 2000))
    assert work(grid) == ExitCode.DONE
    (run,) = grid.experiment.runs()
    seen = set(run.attempt_logs()[0].read_text().split())
    assert seen == {*kept, "SLURM_JOB_END_TIME"}


def test_modules_of_an_entry_point_are_imported_without_a_rank(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of several workers that ``srun`` starts is a rank to it, and none to what it executes."""
    # One that another test has started lets itself be killed by what tells it to load more.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    (grid.folder / "ranked.py").write_text(
        "import json, os\nNAMES = [name for name in os.environ if 'PROCID' in name or 'NTASKS' in name]\n"
        "def main():\n    with open(os.environ['ORCH_RUN_DIR'] + '/results.json', 'w') as file:\n"
        "        json.dump({'test': {'names': len(NAMES)}}, file)\n"
    )
    (grid.folder / "conf/config.yaml").write_text(
        f"results_dir: {grid.folder}/results\nexperiment_id: grid\nlr: 1\n"
        "orch: {entry_point: 'ranked:main', tracking: {enabled: false}, workers: 1}\n"
    )
    assert grid.orch("run", "--prepare") == 0
    for name in ("SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.setenv(name, "2")
    assert work(grid) == 0
    (run,) = grid.experiment.runs()
    assert run.outcome().results["names"] == 0
