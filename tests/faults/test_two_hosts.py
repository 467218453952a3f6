"""Two hosts work on one folder, and processes of both are killed: each run is executed once.

The hosts are mount and UTS namespaces of this machine; the folder is mounted through FUSE on each, with
locks that reach from one to the other.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.rundir.experiment import ExperimentDirectory

pytestmark = pytest.mark.soak

WITNESS = Path(__file__).parents[1] / "support/witness.py"
RUNS, HOSTS = 200, ("boxa", "boxb")
HOST = """exec unshare --mount --uts --propagation private bash -c '
hostname "$1"; bindfs --enable-lock-forwarding --multithreaded "$2" "$3" || exit 9
cd "$3/project" && shift 3 && exec "$@"' - "$@"
"""
TRAIN = """
import json, os, pathlib, sys, time
import witness
witness.begin()
run_dir = pathlib.Path(os.environ["ORCH_RUN_DIR"])
saved = run_dir / "progress.json"
step = json.loads(saved.read_text())["iteration"] if saved.exists() else 0
while step < 4:
    time.sleep(0.05)
    step += 1
    new = run_dir / f".progress-{os.getpid()}"
    new.write_text(json.dumps({"iteration": step, "iterations": 4, "metrics": {}, "saved": step}))
    new.replace(saved)
witness.end()
(run_dir / "results.json").write_text(json.dumps({"test": {"seed": int(sys.argv[1])}}))
"""
CONFIG = """\
experiment_id: grid
results_dir: results
seed: 0
orch: {command: [PYTHON, train.py, "{seed}"], tracking: {enabled: false}, workers: 2}
"""


class TwoHosts:
    """A folder that two hosts share, and what runs on each."""

    def __init__(self, folder: Path) -> None:
        self.real, self.shared = folder / "real", folder / "shared"
        self.project = self.real / "project"
        for each in (self.shared, self.project / "conf"):
            each.mkdir(parents=True)
        (self.project / "conf/config.yaml").write_text(CONFIG.replace("PYTHON", sys.executable))
        shutil.copy(WITNESS, self.project)
        (self.project / "train.py").write_text(TRAIN)

    def start(self, host: str, *words: str) -> subprocess.Popen[bytes]:
        orch = (sys.executable, "-m", "orchestrator", *words)
        with (self.real / f"{host}.log").open("ab") as log:
            return subprocess.Popen(
                ["bash", "-c", HOST, "-", host, str(self.real), str(self.shared), *orch],
                env={**os.environ, "SLURMD_NODENAME": host, "TWO_HOSTS": str(self.real)},
                stdout=log,
                stderr=log,
            )

    def on(self, host: str) -> list[int]:
        """Return the processes of orch, and of its programs, on a host."""
        marks = {f"SLURMD_NODENAME={host}".encode(), f"TWO_HOSTS={self.real}".encode()}
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                is_python = entry.name.isdecimal() and "python" in (entry / "comm").read_text()
                if is_python and marks <= {*(entry / "environ").read_bytes().split(b"\0")}:
                    found.append(int(entry.name))
        return found

    def end(self) -> None:
        for host in HOSTS:
            for pid in self.on(host):
                kill(pid)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_two_hosts_execute_each_run_once(tmp_path: Path) -> None:
    missing = [each for each in ("bindfs", "unshare") if shutil.which(each) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root, and {' and '.join(missing) or 'nothing else'}")
    seed = random.randrange(10**6)  # noqa: S311 # moments of faults
    print(f"seed {seed}")
    chance, hosts = random.Random(seed), TwoHosts(tmp_path)  # noqa: S311 # as above
    seeds = ",".join(map(str, range(RUNS)))
    assert hosts.start("boxa", "run", f"seed={seeds}", "--prepare", "--retries", "9").wait(120) == 0
    experiment = ExperimentDirectory(hosts.project / "results", "grid")
    work = ("work", "results/grid", "--quiet")
    workers = {host: hosts.start(host, *work) for host in HOSTS}
    kills, end = 0, time.monotonic() + 900
    try:
        while not all(run.is_done() for run in experiment.runs()) and time.monotonic() < end:
            time.sleep(chance.uniform(0, 3))
            host = chance.choice(HOSTS)
            pids = hosts.on(host)
            if pids and kills < 40:
                kills += 1
                # One process, or all that is on the host at once.
                for pid in pids if chance.random() < 0.3 else [chance.choice(pids)]:
                    kill(pid)
            for each, worker in workers.items():
                if worker.poll() is not None:
                    workers[each] = hosts.start(each, *work)
        for worker in workers.values():
            worker.wait(120)
    finally:
        hosts.end()
    logs = "".join((hosts.real / f"{host}.log").read_text() for host in HOSTS)
    done = [run for run in experiment.runs() if run.is_done()]
    results = sorted(run.outcome().results["seed"] for run in done)
    print(f"{kills} kills")
    assert results == [*range(RUNS)], logs[-3000:]
    assert not (hosts.project / "overlaps").exists()
    assert kills >= 10
