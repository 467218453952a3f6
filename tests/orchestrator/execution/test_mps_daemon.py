"""The MPS daemon is started once and ended by the last that uses it; its control program is stood in for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.mps_daemon import MpsDaemon, mps_folder
from orchestrator.runner.mps_clients import CONTROL, PIPES, ask_daemon

STAND_IN = Path(__file__).parents[2] / "support/mps_stand_in"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a daemon that does not run yet."""
    monkeypatch.setenv("PATH", f"{STAND_IN}:{os.environ['PATH']}")
    folder = tmp_path / "mps"
    yield folder
    ask_daemon("quit", str(folder / "pipes"))


def asked(folder: Path) -> list[str]:
    return (folder / "pipes/asked").read_text().splitlines()


def is_running(folder: Path) -> bool:
    return ask_daemon("get_server_list", str(folder / "pipes")) is not None


def test_daemon_runs_while_anybody_uses_it(folder: Path) -> None:
    """The second one finds it, and the last one ends it."""
    with MpsDaemon(folder):
        with MpsDaemon(folder) as second:
            assert second.environment[PIPES] == str(folder / "pipes")
            assert second.processes()
        assert is_running(folder)
    assert asked(folder) == ["start", "quit"]
    assert not is_running(folder)


def test_daemon_with_clients_is_left_to_the_next_one(folder: Path) -> None:
    """Those of an ``orch run`` that was killed still train."""
    with MpsDaemon(folder):
        client = folder / f"pipes/clients/{os.getpid()}"
        client.touch()
    assert is_running(folder)
    client.unlink()
    with MpsDaemon(folder):
        pass
    assert asked(folder) == ["start", "quit"]


def test_it_is_ended_also_after_an_error(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), MpsDaemon(folder):
        raise ZeroDivisionError
    assert not is_running(folder)


def test_files_are_for_this_user_only(folder: Path) -> None:
    with MpsDaemon(folder) as daemon:
        assert [each.stat().st_mode & 0o077 for each in (folder, folder / "users.lock")] == [0, 0]
        assert all(Path(each).stat().st_mode & 0o077 == 0 for each in daemon.environment.values())


@pytest.mark.parametrize("what", ["link", "open", "file"])
def test_folder_that_somebody_else_prepared_is_refused(folder: Path, what: str) -> None:
    """What others could write is not used: its socket is obeyed."""
    (folder.parent / "other").mkdir()
    if what == "link":
        folder.symlink_to(folder.parent / "other")
    elif what == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        folder.touch()
    with pytest.raises(UsageError, match="is not a folder that only you can use"):
        MpsDaemon(folder).__enter__()


def test_missing_program_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=rf"orch\.mps: {CONTROL} was not found\. Install"):
        MpsDaemon(folder).__enter__()


def test_daemon_that_cannot_start_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = folder.parent / "bin" / CONTROL
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr("orchestrator.execution.mps_daemon._LONGEST", 0.1)
    with pytest.raises(UsageError, match=r"could not be started: exit code 3\. See .*logs"):
        MpsDaemon(folder).__enter__()


def test_path_is_short_enough_for_a_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 100)))
    assert mps_folder() == Path(f"/tmp/orch-mps-{os.geteuid()}")  # noqa: S108 # nothing is written
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")  # noqa: S108 # as above
    assert mps_folder().parent == Path("/var/tmp")  # noqa: S108 # as above
