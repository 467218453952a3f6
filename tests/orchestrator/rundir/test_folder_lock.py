"""Locks are waited for with a word, and never for ever without a way out."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.rundir.durable import is_shortage
from orchestrator.rundir.folder_lock import HeldLockError, exclusive, is_joined, join


class GivenUpError(Exception):
    """What a signal's handler raises."""


def hold(path: Path, kind: int = fcntl.LOCK_EX) -> int:
    """Lock a path through a descriptor of its own; closing it gives the lock back."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, kind)
    return descriptor


def test_exclusive_keeps_others_out_until_it_is_left(tmp_path: Path) -> None:
    """A second one gets the folder only after the first has left it."""
    order = []

    def enter() -> None:
        with exclusive(tmp_path, order.append):
            order.append("second")

    second = threading.Thread(target=enter)
    with exclusive(tmp_path):
        second.start()
        order.append("first")
    second.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_lock_that_is_held_is_an_error_that_passes(tmp_path: Path, kind: int) -> None:
    """The caller does something else meanwhile, and is told who holds it; sharing it is enough."""
    holder = hold(tmp_path, kind)
    told = rf"{tmp_path}: .* holds its lock"
    with pytest.raises(HeldLockError, match=told) as caught, exclusive(tmp_path):
        pass
    assert is_shortage(caught.value)
    os.close(holder)
    with exclusive(tmp_path):
        pass


def test_who_waits_is_told_once_who_holds_the_lock(tmp_path: Path) -> None:
    """By the command, as it was typed, and a signal's handler can end the wait."""
    command = f"exec flock {tmp_path} sh -c 'echo locked; exec sleep 60'"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        said: list[str] = []

        def tell(reason: str) -> None:
            said.append(reason)
            raise GivenUpError

        with pytest.raises(GivenUpError), exclusive(tmp_path, tell):
            pass
        process.kill()
    assert "flock" in said[0] or "sleep 60" in said[0]


def test_lock_of_orchestrators_that_somebody_holds_alone_is_told(tmp_path: Path) -> None:
    """Nobody may wait for it in silence."""
    path = tmp_path / "orchestrators.lock"
    path.touch()
    holder = hold(path)
    with pytest.raises(HeldLockError, match="orchestrators"):
        join(path)
    assert is_joined(path)
    os.close(holder)
    assert not is_joined(path)


def test_second_user_of_a_group_joins_the_first(tmp_path: Path) -> None:
    """The file is made with the permissions of the umask, and to be locked it need only be read."""
    before = os.umask(0o002)
    try:
        script = (
            "import sys; from pathlib import Path; from orchestrator.rundir.folder_lock import join;"
            f"print(join(Path({str(tmp_path / 'lock')!r})))"
        )
        for _ in range(2):
            subprocess.run([sys.executable, "-c", script], check=True)
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)
