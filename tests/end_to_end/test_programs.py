"""Programs that are not ours: one config key orchestrates them, and none harms the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CONFIG = """\
results_dir: results
experiment_id: foreign
{keys}
orch:
  tracking: {{enabled: false}}
  {orch}
"""
LOOP = """\
import argparse, json, os, pathlib

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    state = options.out / "state.json"
    epoch = json.loads(state.read_text()) if state.exists() else 0
    while epoch < 4:
        epoch += 1
        state.write_text(json.dumps(epoch))
        progress = {"iteration": epoch, "iterations": 4, "metrics": {"loss": options.lr / epoch}}
        (options.out / "progress.json").write_text(json.dumps(progress))
        print("epoch", epoch, "loss", options.lr / epoch, flush=True)
        if epoch == 2 and os.environ["ORCH_ATTEMPT"] == "1" and options.lr > 0.1:
            raise RuntimeError("the license server is away")

if __name__ == "__main__":
    main()
"""


def project(folder: Path, keys: str, orch: str) -> Path:
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG.format(keys=keys, orch=orch))
    return folder


def orch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call orch in a folder; no traceback of ours may reach the user."""
    return subprocess.run(
        [Path(sys.executable).with_name("orch"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def statuses(folder: Path) -> dict[str, Any]:
    """Return every run's status by the values of its axes."""
    return {
        " ".join(map(str, read(each / "run.json")["overrides"].values())): read(
            each / "status.json"
        )
        for each in (folder / "results/foreign/training").glob("[0-9a-f]*")
    }


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_training_loop_of_somebody_else_fails_resumes_and_is_shown(tmp_path: Path) -> None:
    """A script in a file and one key: plan, run in parallel, resume, status, logs."""
    command = f"command: [{sys.executable}, train.py, '--lr={{lr}}', --out, '{{run_dir}}']"
    folder = project(tmp_path, "lr: 0.1", command)
    (folder / "train.py").write_text(LOOP)
    assert "pending" in orch(folder, "plan", "lr=0.1,0.2").stdout
    first = orch(folder, "run", "lr=0.1,0.2", "--workers=2")
    assert first.returncode == 1
    assert "RuntimeError: the license server is away" in first.stdout
    assert "orch logs" in first.stdout
    assert statuses(folder)["0.2"]["error"]["class"] == "error"
    second = orch(folder, "run", "lr=0.1,0.2", "--workers=2")
    assert second.returncode == 0, second.stdout + second.stderr
    status = json.loads(orch(folder, "status", "--json").stdout)
    assert [(run["state"], run["iteration"]) for run in status["runs"]] == [("done", 4)] * 2
    (again,) = (folder / "results/foreign/training").glob("*/logs/attempt-002.log")
    assert again.read_text().startswith("epoch 3 ")


def test_function_that_the_config_names_is_loaded_once(tmp_path: Path) -> None:
    """What the module prints or counts when it is imported happens once for all runs."""
    arguments = "entry_point: train:main\n  arguments: ['--lr={lr}', --out, '{run_dir}']"
    folder = project(tmp_path, "lr: 0.1", arguments)
    counted = (
        "import os\nos.write(os.open('imports', os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'x')\n"
    )
    (folder / "train.py").write_text(counted + "print('a banner')\n" + LOOP)
    ended = orch(folder, "run", "lr=0.01,0.02,0.03", "--workers=2", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert all(json.loads(line) for line in ended.stdout.splitlines())
    assert (folder / "imports").read_text() == "x"
    assert {status["state"] for status in statuses(folder).values()} == {"done"}
    logs = (folder / "results/foreign/training").glob("*/logs/attempt-001.log")
    assert {len(log.read_text().splitlines()) for log in logs} == {4}


def test_module_that_cannot_be_loaded_is_told_once_and_in_full(tmp_path: Path) -> None:
    """Not once for every run; nothing was started."""
    folder = project(tmp_path, "lr: 0.1", "entry_point: train:main")
    (folder / "train.py").write_text("def find():\n    return {}['torch']\n\nfind()\n")
    ended = orch(folder, "run", "lr=0.01,0.02,0.03", "--workers=2")
    assert ended.returncode == 2
    assert ended.stderr.count("Traceback") == 1
    assert "line 2, in find" in ended.stderr
    assert "KeyError: 'torch'" in ended.stderr
    assert list((folder / "results/foreign/training").iterdir()) == []


def test_function_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    """Once, and not by every run."""
    folder = project(tmp_path, "lr: 0.1", "entry_point: train:mian")
    (folder / "train.py").write_text("def main():\n    pass\n")
    ended = orch(folder, "run", "lr=0.01,0.02,0.03")
    assert ended.returncode == 2
    assert ended.stderr == (
        "orch: orch.entry_point: train has no function mian. Name one that it has: main.\n"
    )
    assert list((folder / "results/foreign/training").iterdir()) == []


DIES_WHEN_LOADED = """\
import os, signal

count = os.path.getsize("loaded") if os.path.exists("loaded") else 0
open("loaded", "a").write("x")
if count < {times}:
    os.kill(os.getpid(), signal.SIGKILL)

def main():
    pass
"""


@pytest.mark.parametrize(("times", "code"), [(2, 0), (99, 2)])
def test_loading_is_tried_again_if_it_was_killed(tmp_path: Path, times: int, code: int) -> None:
    """By chance, that is; a module that crashes every time is told of."""
    folder = project(tmp_path, "lr: 0.1", "entry_point: train:main")
    (folder / "train.py").write_text(DIES_WHEN_LOADED.format(times=times))
    ended = orch(folder, "run", "lr=0.01")
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert (folder / "loaded").read_text().startswith("xxx")
    assert ("the fork server died while loading them" in ended.stderr) == (code == 2)
    assert "Traceback" not in ended.stderr


def test_misspelt_placeholder_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    """In the plan as well."""
    folder = project(tmp_path, "optimizer: {lr: 0.1}", "command: [echo, '{optimizer.rl}']")
    for command in ("plan", "run"):
        ended = orch(folder, command)
        assert ended.returncode == 2
        assert "Did you mean {optimizer.lr}?" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    assert not (folder / "results").exists()


HOSTILE = {
    "segfault": "kill -SEGV $$",
    "daemon": "setsid sh -c 'trap \"\" TERM; sleep 1000' & echo trained",
    "deaf": "trap '' TERM; while :; do sleep 1000; done",
    "flood": "yes | head -c 30000000; exit 3",
    "memory": f"exec {sys.executable} -c 'bytearray(1 << 50)'",
    "disk": "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
    "group": "kill -9 0",
    "good": "echo done",
}


def test_hostile_runs_end_classified_and_harm_nobody(tmp_path: Path) -> None:
    """Every slot is free again, every end is told, and the others finish."""
    folder = project(tmp_path, "how: good", "command: [sh, -c, '{script}']")
    (folder / "conf/how").mkdir()
    for name, script in HOSTILE.items():
        (folder / f"conf/how/{name}.yaml").write_text(
            f"# @package _global_\nhow: {name}\nscript: {json.dumps(script)}\n"
        )
    config = folder / "conf/config.yaml"
    config.write_text(
        "defaults: [how: good, _self_]\n" + config.read_text().replace("how: good\n", "")
    )
    with (folder / "conf/config.yaml").open("a") as file:
        file.write("  timeout: 2\n  grace: 0.2\n")
    marker = f"ORCH_TEST_MARK={os.getpid()}-{tmp_path.name}"
    os.environ["ORCH_TEST_MARK"] = marker.partition("=")[2]
    try:
        ended = orch(folder, "run", f"how={','.join(HOSTILE)}", "--workers=2")
    finally:
        del os.environ["ORCH_TEST_MARK"]
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    found = statuses(folder)
    kinds = {name: (status["error"] or {}).get("class") for name, status in found.items()}
    assert kinds == {
        "segfault": "killed",
        "daemon": None,
        "deaf": "timeout",
        "flood": "error",
        "memory": "out-of-memory",
        "disk": "disk-full",
        "group": "killed",
        "good": None,
    }
    assert {name for name, status in found.items() if status["state"] == "done"} == {
        "daemon",
        "good",
    }
    assert "2 of 8 runs are done, 6 failed." in ended.stdout
    assert processes_with(marker) == []


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """Return a group of processes that share 64 MB of memory, where this machine makes one."""
    root = Path("/sys/fs/cgroup")
    name = f"orch-test-{os.getpid()}"
    is_old = (root / "memory").is_dir()
    group = root / "memory" / name if is_old else root / name
    limits = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if is_old else ("memory.max",)
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no group of processes can be made here: {error}")
    try:
        if not (group / limits[0]).exists():
            pytest.skip("groups of processes have no limit of memory here")
        for limit in limits:
            if (group / limit).exists():
                (group / limit).write_text(str(64 << 20))
        yield group
    finally:
        group.rmdir()


@pytest.mark.soak
def test_run_that_eats_its_memory_is_told_from_one_that_was_killed(
    tmp_path: Path, small_memory: Path
) -> None:
    """The kernel's word counts, not the signal; the other runs finish.

    It counts for the whole machine, so that another test that kills a run at this moment would be told
    the same.
    """
    enter = f"echo $$ > {small_memory}/cgroup.procs"
    eat = f"exec {sys.executable} -c 'b\"x\" * (1 << 28)'"
    scripts = {"hungry": f"{enter}; {eat}", "killed": "kill -9 $$", "modest": f"{enter}; echo done"}
    folder = project(
        tmp_path,
        f"how: modest\nscripts: {json.dumps(scripts)}\nscript: ${{scripts[${{how}}]}}",
        "command: [sh, -c, '{script}']",
    )
    ended = orch(folder, "run", "how=hungry,killed,modest", "--workers=1")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    found = statuses(folder)
    kinds = {name: (status["error"] or {}).get("class") for name, status in found.items()}
    assert kinds == {"hungry": "out-of-memory", "killed": "killed", "modest": None}


def processes_with(marker: str) -> list[str]:
    """Return the command lines of the processes that have something in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in environ.read_bytes():
                found.append(environ.with_name("cmdline").read_text())
        except OSError:
            continue
    return found


QUICK = """\
import json, os
from pathlib import Path

def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

def look_at(descriptor):
    try:
        return f"{descriptor.name} {os.readlink(descriptor)}"
    except OSError:
        return f"{descriptor.name} closed just now"

def main():
    orchestrator = Path("/proc", str(parent_of(parent_of(os.getppid()))))
    descriptors = [look_at(descriptor) for descriptor in (orchestrator / "fd").iterdir()]
    pages = int((orchestrator / "statm").read_text().split()[1])
    line = json.dumps([descriptors, pages, os.environ["OMP_NUM_THREADS"]]) + "\\n"
    os.write(os.open("seen", os.O_CREAT | os.O_APPEND | os.O_WRONLY), line.encode())
"""


def test_orchestrator_neither_leaks_nor_grows_with_the_number_of_runs(tmp_path: Path) -> None:
    """What it holds open at the end it held open before, and what it knew of a run it forgets."""
    folder = project(tmp_path, f"n: 0\nweights: {[0.5] * 500}", "entry_point: quick:main")
    (folder / "quick.py").write_text(QUICK)
    ended = orch(folder, "run", "n=range(140)", "--workers=2", "--threads=3", "--quiet")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = (folder / "seen").read_text().splitlines()
    assert len(lines) == 140
    seen = [json.loads(line) for line in lines]
    assert {threads for _, _, threads in seen} == {"3"}
    first, last = seen[60:70], seen[-10:]
    # Runs come and go while one looks: what every one of the last ten saw does not go.
    staying = set.intersection(*(set(descriptors) for descriptors, _, _ in last))
    before = set.union(*(set(descriptors) for descriptors, _, _ in first))
    assert len(staying) > 3
    assert staying <= before
    grown = max(pages for _, pages, _ in last) - max(pages for _, pages, _ in first)
    assert grown * os.sysconf("SC_PAGE_SIZE") <= 70 * 4_000


ALIKE = """\
import atexit, json, multiprocessing, os, pathlib, random
import numpy, torch

def child(path):
    pathlib.Path(path).write_text("spawned")

def main():
    run_dir = pathlib.Path(os.environ["ORCH_RUN_DIR"])
    atexit.register((run_dir / "over").touch)
    multiprocessing.set_start_method("spawn")
    process = multiprocessing.Process(target=child, args=(run_dir / "child",))
    process.start()
    process.join()
    drawn = [random.random(), numpy.random.rand(), torch.rand(1).item()]
    told = {"drawn": drawn, "threads": torch.get_num_threads()}
    (run_dir / "told.json").write_text(json.dumps(told))
"""


def test_fork_is_like_a_process_of_its_own(tmp_path: Path) -> None:
    """It draws numbers of its own, has its share of threads, may spawn, and is told of its end."""
    folder = project(tmp_path, "n: 0", "entry_point: alike:main")
    (folder / "alike.py").write_text(ALIKE)
    ended = orch(folder, "run", "n=1,2,3", "--workers=2", "--threads=1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    run_dirs = [*(folder / "results/foreign/training").iterdir()]
    told = [json.loads((run_dir / "told.json").read_text()) for run_dir in run_dirs]
    assert {each["threads"] for each in told} == {1}
    for numbers in zip(*(each["drawn"] for each in told), strict=True):
        assert len({*numbers}) == 3
    assert all((run_dir / "child").read_text() == "spawned" for run_dir in run_dirs)
    assert all((run_dir / "over").exists() for run_dir in run_dirs)


PATIENT = """\
import os, pathlib, signal, sys

def main():
    run_dir = pathlib.Path(os.environ["ORCH_RUN_DIR"])
    # Held back: a handler of Python's would run when a call that had just begun to wait is over.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    (run_dir / "ready").touch()
    if not (run_dir.parent / "go").exists():
        signal.sigwait([signal.SIGTERM])
        (run_dir / "asked").touch()
        sys.exit(143)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_the_whole_group_asks_every_run(tmp_path: Path, number: int) -> None:
    """The process that forks is in the group too: it must not go before the runs have been asked."""
    folder = project(tmp_path, "n: 0", "entry_point: patient:main")
    (folder / "patient.py").write_text(PATIENT)
    command = [Path(sys.executable).with_name("orch"), "run", "n=range(3)", "--workers=3"]
    training = folder / "results/foreign/training"
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
    ) as call:
        while len([*training.glob("*/ready")]) < 3:
            assert call.poll() is None
        os.killpg(call.pid, number)
    assert call.returncode == 130
    assert len([*training.glob("*/asked")]) == 3
    assert {status["state"] for status in statuses(folder).values()} == {"interrupted"}
    (training / "go").touch()
    assert orch(folder, "run", "n=range(3)", "--workers=3").returncode == 0


def test_stacks_are_told_before_a_run_is_ended(tmp_path: Path) -> None:
    """Where it hangs stands in its log."""
    folder = project(tmp_path, "n: 0", "entry_point: hanging:main\n  timeout: 1")
    (folder / "hanging.py").write_text("import time\n\ndef main():\n    time.sleep(1000)\n")
    assert orch(folder, "run").returncode == 1
    (log,) = folder.glob("results/foreign/training/*/logs/*.log")
    assert "hanging.py" in log.read_text()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_output_may_be_closed_or_know_few_letters(tmp_path: Path, command: str) -> None:
    """Neither is a reason to end."""
    folder = project(tmp_path, "n: 0", "command: [echo, '{n}']")
    program = Path(sys.executable).with_name("orch")
    closed = subprocess.run(
        ["sh", "-c", f"exec {program} {command} n=1,2 >&-"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (closed.returncode, closed.stderr) == (0, "")
    few = subprocess.run(
        [program, command, 'n="é","→"'],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (few.returncode, few.stderr) == (0, "")
    assert "\\xe9" in few.stdout
