"""A Slurm cluster of three nodes on this machine, from the programs that are installed, for tests.

It has its own folder, keys and ports on loopback, and changes nothing outside. What Slurm waits minutes
for takes seconds. A node is a ``slurmd``; its processes are known by their environment.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
NODES = ("n1", "n2", "n3")
CONFIG = """\
ClusterName=small
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout=10
KillWait=3
UnkillableStepTimeout=10
MinJobAge=300
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
NodeName=n[1-3] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=2 State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""

# A mount namespace in which a FUSE file system stands before the folder; the kernel keeps its locks apart.
ISLAND = """exec unshare -m --propagation private bash -c '
bindfs -f "$1" "$1" </dev/null >/dev/null 2>&1 &
for _ in {1..100}; do mountpoint -q "$1" && exec slurmd -N "$2"; sleep 0.05; done' - "$1" "$2"
"""


def why_not() -> str:
    """Return why no cluster can be started here; an empty string if one can."""
    missing = [each for each in PROGRAMS if shutil.which(each, path=PATH) is None]
    if missing:
        return f"Slurm is not installed: {', '.join(missing)} not found"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


class SmallSlurm:
    """The cluster: starts and ends its daemons, and lets them fail."""

    def __init__(self, folder: Path, islands: Path | None = None) -> None:
        self.folder = folder
        self._islands = islands  # a folder on which each node has locks of its own
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": PATH,
        }

    def start(self) -> None:
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge.key").touch(0o600)
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        port = _free_ports(4)
        host = socket.gethostname().partition(".")[0]
        text = CONFIG.format(
            folder=self.folder, host=host, port=port, first=port + 1, last=port + 3
        )
        (self.folder / "slurm.conf").write_text(text)
        version = self.run("slurmd", "-V").stdout
        if " 22." not in version:
            (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        files = {
            name: self.folder / f"munge.{name}" for name in ("sock", "key", "log", "pid", "seed")
        }
        self.run(
            *("munged", "--force", f"--socket={files['sock']}", f"--key-file={files['key']}"),
            *(f"--log-file={files['log']}", f"--pid-file={files['pid']}"),
            f"--seed-file={files['seed']}",
        )
        until(files["sock"].exists, "munged")
        self.start_controller()
        for node in NODES:
            self.boot(node)

    def end(self) -> None:
        for node in NODES:
            self.kill_all_on(node)
            self._end_daemon(f"slurmd-{node}.pid")
        self._end_daemon("slurmctld.pid")
        self._end_daemon("munge.pid")

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Execute a command of Slurm."""
        return subprocess.run(
            words, env=self.environment, input=given, capture_output=True, text=True, check=False
        )

    def start_controller(self) -> None:
        self.run("slurmctld")
        until(lambda: "is UP" in self.run("scontrol", "ping").stdout, "slurmctld")

    def kill_controller(self) -> None:
        self._end_daemon("slurmctld.pid", signal.SIGKILL)

    def boot(self, node: str) -> None:
        """Start a node, or start it again."""
        self.run("scontrol", "update", f"nodename={node}", "state=resume")
        if self._islands:
            self.run("bash", "-c", ISLAND, "-", str(self._islands), node)
        else:
            self.run("slurmd", "-N", node)
        words = ("sinfo", "-h", "-p", "batch", "-N", "-n", node, "-o", "%T")
        good = ("idle", "mixed", "allocated", "completing")
        until(lambda: self.run(*words).stdout.strip() in good, node)

    def cut(self, node: str) -> None:
        """Let Slurm lose a node whose processes live on."""
        self._end_daemon(f"slurmd-{node}.pid", signal.SIGKILL)
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def crash(self, node: str) -> None:
        """Let a node lose its power."""
        self._end_daemon(f"slurmd-{node}.pid", signal.SIGKILL)
        self.kill_all_on(node)
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def kill_step_daemons(self, node: str) -> None:
        for pid in self.on_node(node):
            if _comm(pid) == "slurmstepd":
                _kill(pid)

    def kill_all_on(self, node: str) -> None:
        for _ in range(5):
            pids = self.on_node(node)
            # The step daemons first: they would report how their jobs ended.
            for pid in sorted(pids, key=lambda pid: _comm(pid) != "slurmstepd"):
                _kill(pid)
            time.sleep(0.05)

    def on_node(self, node: str) -> list[int]:
        """Return the processes on a node, without its daemon."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    environment = (entry / "environ").read_bytes().split(b"\0")
                    log = (entry / "fd").iterdir() if _comm(int(entry.name)) == "slurmstepd" else ()
                    logs = {os.readlink(each) for each in log}  # noqa: PTH115 # it may be gone
                except OSError:
                    continue
                is_ours = f"SLURM_CONF={self.folder}/slurm.conf".encode() in environment
                is_here = f"SLURMD_NODENAME={node}".encode() in environment
                if (is_ours and is_here) or str(self.folder / f"{node}.log") in logs:
                    found.append(int(entry.name))
        return found

    def _end_daemon(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        try:
            pid = int((self.folder / name).read_text())
        except (OSError, ValueError):
            return
        _kill(pid, number)
        until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), name)
        (self.folder / name).unlink(missing_ok=True)


def until(holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"{what}: waited in vain")
        time.sleep(0.1)


def _free_ports(count: int) -> int:
    """Return the first of some ports in a row that are free."""
    for first in range(21000 + os.getpid() % 900 * 10, 32000, 10):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", first))
                other.bind(("127.0.0.1", first + count - 1))
            except OSError:
                continue
            return first
    raise OSError


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
