"""The fork server: where its socket lies, and how long orch waits for it."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, util
from operator import methodcaller
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.launchers import forkserver_handle
from orchestrator.launchers.forkserver_handle import ForkServer, end_if_stopped

CONTEXT = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def _no_fork_goes_on() -> Iterator[None]:
    """Wait for forks that a test did not wait for, and see that the environment is as before."""
    before, threads = dict(os.environ), threading.enumerate()
    yield
    for thread in set(threading.enumerate()) - set(threads):
        thread.join(60)
        assert not thread.is_alive()
    assert {name for name in os.environ if name.startswith("ORCH_")} <= set(before)
    assert os.environ.get("PYTHONSAFEPATH") == before.get("PYTHONSAFEPATH")


@pytest.fixture(autouse=True, scope="module")
def _own_server() -> Iterator[None]:
    """Start with no server, and leave none to other tests."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def fork(server: ForkServer) -> int:
    """Fork a process and return its exit code."""
    process = CONTEXT.Process(target=os.getpid)
    server.fork(process, CONTEXT.Pipe()[1])
    process.join()
    return int(process.exitcode or 0)


def test_process_is_forked_and_the_environment_is_as_before() -> None:
    before = dict(os.environ)
    assert fork(ForkServer(["json"])) == 0
    assert dict(os.environ) == before


def test_stopped_server_does_not_keep_the_user_waiting() -> None:
    """It would never answer; it is killed, and the next fork starts another one."""
    server = ForkServer()
    assert fork(server) == 0
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    with StopRequests() as stop:
        server.heed(stop, patience=0.0)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(InterruptedError, match="you asked to stop"):
            fork(server)
    with contextlib.suppress(ChildProcessError):  # the fork that was given up has seen its end
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it was killed
    assert fork(ForkServer()) == 0
    assert forkserver._forkserver._forkserver_pid != pid  # type: ignore[attr-defined]


def test_fork_that_was_given_up_leaves_the_environment_of_the_next_one_alone() -> None:
    before = dict(os.environ)
    server = ForkServer()
    with StopRequests() as stop:
        server.heed(stop, patience=0.0)
        os.kill(os.getpid(), signal.SIGTERM)
        with forkserver_handle._ONE_FORK, pytest.raises(InterruptedError):  # still under way
            fork(server)
    assert fork(ForkServer()) == 0
    assert dict(os.environ) == before


def test_fork_that_was_given_up_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the process would get another file, which has the number of the closed one by now."""
    begun = threading.Event()

    def ask_to_stop() -> None:
        if not begun.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
            begun.wait(60)

    server = ForkServer()
    assert fork(server) == 0
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=methodcaller("send", "told"), args=(theirs,))
    with StopRequests() as stop, monkeypatch.context() as patched:
        patched.setattr(forkserver_handle.resource_tracker, "ensure_running", ask_to_stop)
        server.heed(stop, patience=0.0)
        with pytest.raises(InterruptedError):
            server.fork(process, theirs)
        others = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(9)]
        begun.set()
        assert ours.recv() == "told"
    for each in others:
        os.close(each)


def test_server_that_is_not_stopped_is_left_alone() -> None:
    assert fork(ForkServer()) == 0
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    end_if_stopped()
    assert fork(ForkServer()) == 0
    assert forkserver._forkserver._forkserver_pid == pid  # type: ignore[attr-defined]


def long_folder(tmp_path: Path) -> str:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    return str(folder)


def test_long_path_of_the_temporary_folder_is_avoided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has at most 107 bytes."""
    made: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", long_folder(tmp_path))
    monkeypatch.setattr(
        util, "get_temp_dir", lambda: made.append(forkserver_handle.tempfile.gettempdir())
    )
    forkserver_handle._make_socket_folder()
    assert made == ["/tmp"]  # noqa: S108 # one that is short
    assert forkserver_handle.tempfile.gettempdir() == long_name(tmp_path)


def long_name(tmp_path: Path) -> str:
    return str(tmp_path / ("x" * 100))


def test_no_folder_for_a_socket_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", long_folder(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(UsageError, match=r"Set TMPDIR to a shorter path\.$"):
        forkserver_handle._make_socket_folder()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_the_whole_terminal_does_not_interrupt_loading(
    tmp_path: Path, number: signal.Signals
) -> None:
    """It is meant for orch, which ends what it has started: no traceback, no dead server."""
    (tmp_path / "interrupted.py").write_text(
        f"import os\nos.kill(os.getpid(), {int(number)})\nprint('loaded')\n"
    )
    script = (
        "import multiprocessing, os\n"
        "from orchestrator.launchers.forkserver_handle import ForkServer\n"
        "process = multiprocessing.get_context('forkserver').Process(target=os.getpid)\n"
        "ForkServer(['interrupted']).fork(process, multiprocessing.Pipe()[1])\n"
        "process.join()\n"
        "print(process.exitcode)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (said.stdout, said.stderr) == ("0\n", "loaded\n")
