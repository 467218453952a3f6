"""Hosts that share the folder of an experiment, and what is known of their locks.

Locks decide which runs are live. On a file system of this machine they always do; on one that several
machines share they may reach from host to host or not, which only a test between two live processes
tells (``rundir.lock_reach``). Its results are kept in ``hosts/`` in the experiment's folder. A run of
another host that was not tested cannot be proved dead.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from orchestrator.rundir.state import Status

HOSTS: Final = "hosts"
_MOUNTS: Final = Path("/proc/self/mountinfo")
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# What one kernel alone writes to. Anything else may be shared with other machines.
_LOCAL: Final = frozenset(
    {
        *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "msdos", "nilfs2"),
        *("ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"),
    }
)
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Host:
    """A machine since it was booted, or a node of a cluster that shares the kernel with others."""

    name: str
    boot_id: str = ""
    node: str = ""

    @property
    def key(self) -> str:
        """A short name for it in the names of files."""
        return hashlib.sha256(f"{self.name}\0{self.boot_id}\0{self.node}".encode()).hexdigest()[:12]

    def is_other_than(self, host: Host) -> bool:
        """Return whether it is another machine, node or container; not if it was only booted again."""
        return (self.name, self.node) != (host.name, host.node)

    def shares_kernel_with(self, host: Host) -> bool:
        """Return whether it is a container on the same machine, so that its locks are seen here."""
        return bool(self.boot_id) and (self.boot_id, self.node) == (host.boot_id, host.node)


@functools.cache
def this_host() -> Host:
    """Return the host of this process."""
    try:
        boot_id = _BOOT.read_text().strip()
    except OSError:
        boot_id = ""
    return Host(socket.gethostname(), boot_id, os.environ.get("SLURMD_NODENAME", ""))


def shared_file_system(folder: Path) -> str:
    """Return the type of the file system of a folder if other machines may write to it, or ``""``.

    Unknown types may be shared.
    """
    try:
        device = os.stat(folder).st_dev  # noqa: PTH116 # as for all that is called for each run
    except OSError:
        return ""
    kind = _type_of(device, str(folder))
    return "" if kind in _LOCAL else kind


@functools.lru_cache(maxsize=64)
def _type_of(device: int, folder: str) -> str:
    """Return the type of the file system on a device; of one that lies at several places, any."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return "unknown"
    best, kind = "", "unknown"
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        place = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
        if fields[2] == number:
            return after.split()[0]
        # Subvolumes of btrfs have device numbers that no mount has.
        if Path(folder).is_relative_to(place) and len(place) >= len(best):
            best, kind = place, after.split()[0]
    return kind


class KnownHosts:
    """What is known of the other hosts that share the folder of an experiment."""

    def __init__(self, experiment: Path) -> None:
        self.folder = experiment / HOSTS

    def locks_reach(self, other: Host) -> bool:
        """Return whether locks were seen to reach from one of the two hosts to the other."""
        return self._reach(other).exists()

    def record_that_locks_reach(self, other: Host) -> None:
        """Keep the result of a successful test.

        Raises:
            OSError: It cannot be written.
        """
        hosts = [this_host().name, other.name]
        content = {"schema": records.SCHEMA, "hosts": hosts, "tested_at": records.now()}
        durable.write_file(self._reach(other), records.dump(content))

    def is_gone(self, other: Host) -> bool:
        """Return whether the user has said that a host is off."""
        return (self.folder / f"gone-{other.key}").exists()

    def declare_gone(self, other: Host) -> None:
        """Keep that a host is off: what it executed is dead.

        Raises:
            OSError: It cannot be written.
        """
        self.folder.mkdir(exist_ok=True)
        durable.write_file(self.folder / f"gone-{other.key}", b"")

    def _reach(self, other: Host) -> Path:
        first, second = sorted((this_host().key, other.key))
        return self.folder / f"reach-{first}-{second}.json"


def host_of(status: Status) -> Host:
    """Return the host of the last attempt of a run."""
    return Host(status.host, status.boot_id or "", status.node or "")


def unreachable_host(run_dir: Path, status: Status) -> str:
    """Return the host that executed a run whose lock is free here, if it may still be live there.

    An empty string: the lock tells the truth.
    """
    host, here = host_of(status), this_host()
    if not host.is_other_than(here) or host.shares_kernel_with(here):
        return ""
    if not shared_file_system(run_dir):
        return ""
    known = KnownHosts(run_dir.parents[1])
    return "" if known.locks_reach(host) or known.is_gone(host) else host.node or host.name
