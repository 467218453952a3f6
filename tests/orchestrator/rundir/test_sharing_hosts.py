"""Which runs of other hosts may be live although their locks are free here."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.rundir import sharing_hosts
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.sharing_hosts import Host, KnownHosts, shared_file_system, this_host
from orchestrator.rundir.state import Record, State, Status

BOX = Host("box", "boot-1")
MOUNTS = """\
24 1 0:21 / / rw shared:1 - ext4 /dev/vda rw
31 24 0:40 / /home rw - nfs4 server:/home rw,vers=4.2
32 24 0:41 / /scratch\\040disk rw - fuse.bindfs bindfs rw
33 24 0:99 / /pool rw - btrfs /dev/vdb rw
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on ``BOX``, and take any folder for a shared one."""
    monkeypatch.setattr(sharing_hosts, "this_host", lambda: BOX)
    monkeypatch.setattr(sharing_hosts, "shared_file_system", lambda _folder: "nfs4")


def run_of(directory: RunDirectory, host: Host, record: Record = Record.RUNNING) -> None:
    """Write the status of a run as a host leaves it that was switched off."""
    status = Status(
        record, 1, "then", host.name, 1, boot_id=host.boot_id or None, node=host.node or None
    )
    directory.write_status(status)


@pytest.mark.parametrize(
    ("host", "state"),
    [
        pytest.param(BOX, State.STALE, id="this host"),
        pytest.param(Host("box", "boot-0"), State.STALE, id="this host before it was booted"),
        pytest.param(Host("box"), State.STALE, id="this host, by an earlier version"),
        pytest.param(Host("a41f", "boot-1"), State.STALE, id="a container on this host"),
        pytest.param(Host("other", "boot-2"), State.UNPROVEN, id="another host"),
        pytest.param(Host("other"), State.UNPROVEN, id="another host, by an earlier version"),
        pytest.param(Host("box", "boot-1", "n2"), State.UNPROVEN, id="another node"),
    ],
)
def test_run_of_another_host_is_never_taken_for_dead(
    directory: RunDirectory, host: Host, state: State
) -> None:
    run_of(directory, host)
    assert directory.observe().state is state
    assert directory.observe_locked().state is state


def test_reason_names_the_host_and_what_is_saved(directory: RunDirectory) -> None:
    run_of(directory, Host("other", "boot-2"))
    assert directory.observe().reason == (
        "host other may be executing it, which cannot be seen from here, nothing is saved yet"
    )


@pytest.mark.parametrize("record", [Record.DONE, Record.FAILED, Record.INTERRUPTED])
def test_end_that_another_host_recorded_is_believed(
    directory: RunDirectory, record: Record
) -> None:
    run_of(directory, Host("other", "boot-2"), record)
    assert directory.observe().state is not State.UNPROVEN


def test_locks_that_reach_prove_a_run_dead(directory: RunDirectory) -> None:
    other = Host("other", "boot-2")
    run_of(directory, other)
    known = KnownHosts(directory.path.parents[1])
    known.folder.mkdir()
    known.record_that_locks_reach(other)
    assert known.locks_reach(other)
    assert directory.observe().state is State.STALE
    run_of(directory, replace(other, boot_id="boot-3"))  # it may have mounted the folder otherwise
    assert directory.observe().state is State.UNPROVEN


def test_user_may_say_that_a_host_is_gone(directory: RunDirectory) -> None:
    other = Host("other", "boot-2")
    run_of(directory, other)
    KnownHosts(directory.path.parents[1]).declare_gone(other)
    assert directory.observe().state is State.STALE


def test_file_system_of_this_machine_is_not_shared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The lock tells the truth there, whatever the host is called that wrote the status."""
    monkeypatch.undo()
    assert shared_file_system(tmp_path) == ""
    assert shared_file_system(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("device", "folder", "kind"),
    [
        ((0, 21), "/", "ext4"),
        ((0, 40), "/home/ann/results", "nfs4"),
        ((0, 41), "/scratch disk/results", "fuse.bindfs"),
        ((7, 7), "/pool/subvolume", "btrfs"),
        ((7, 7), "/scratch disk/within", "fuse.bindfs"),
    ],
)
def test_type_of_a_file_system_is_read_from_the_table_of_mounts(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    device: tuple[int, int],
    folder: str,
    kind: str,
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    monkeypatch.setattr(sharing_hosts, "_MOUNTS", table)
    sharing_hosts._type_of.cache_clear()
    number = (device[0] << 8) | device[1]
    assert sharing_hosts._type_of(number, folder) == kind
    sharing_hosts._type_of.cache_clear()


def test_host_knows_its_boot() -> None:
    assert this_host.__wrapped__().boot_id  # type: ignore[attr-defined]
