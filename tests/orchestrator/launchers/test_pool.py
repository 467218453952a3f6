"""Forked runners carry out one attempt after the other, and nothing of one reaches the next."""

import atexit
import multiprocessing
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from orchestrator.grid.identity import Run
from orchestrator.launchers.forkserver_handle import ForkServer
from orchestrator.launchers.pool import ForkedRunner, Pool
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Failure, State, Status
from orchestrator.runner import process_tree
from orchestrator.runner.entry_point_call import EntryPoint
from orchestrator.runner.forked_runner import AttemptRequest
from orchestrator.runner.time_limits import NO_LIMITS

PAUSE, SUCCEED = "signal:pause", "os:getcwd"


@pytest.fixture(autouse=True, scope="module")
def _process_that_forks() -> Iterator[None]:
    """Fork from a process that holds signals back, as runners expect it, and leave it to nobody else."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Return a pool, which is closed in the end."""
    pool = Pool(ForkServer())
    yield pool
    pool.close()


@pytest.fixture
def directories(experiment: ExperimentDirectory, runs: list[Run]) -> list[RunDirectory]:
    """Return some run directories."""
    return [experiment.create(run) for run in runs]


def order(
    directory: RunDirectory, function: str = SUCCEED, attempt: int = 1, **environment: str
) -> AttemptRequest:
    """Return the order to call a function."""
    return AttemptRequest(directory.path, attempt, EntryPoint(function, ()), NO_LIMITS, environment)


def answer(runner: ForkedRunner) -> str:
    """Return the runner's answer, which has to come."""
    assert select.select([runner], [], [], 60)[0]
    return runner.answer()


def until_running(directory: RunDirectory) -> None:
    """Return when the status says that an attempt runs."""
    while pid_of(directory) == 0:
        time.sleep(0.002)


def pid_of(directory: RunDirectory) -> int:
    """Return the runner that carried out the last attempt."""
    status = directory.read_status()
    return getattr(status, "pid", 0)


def test_one_runner_carries_out_several_attempts(
    pool: Pool, directories: list[RunDirectory]
) -> None:
    """The directory is locked no more when it answers."""
    for directory in directories[:3]:
        runner = pool.give(order(directory))
        assert answer(runner) == ""
        assert directory.observe().state is State.DONE
        pool.take_back(runner)
    assert len({pid_of(directory) for directory in directories[:3]}) == 1


def fail_first() -> None:
    """Fail, with a child process that fails later, and much to say in the end."""
    later = multiprocessing.get_context("fork").Process(target=int, args=("later",))
    atexit.register(later.start)
    for _ in range(61):
        atexit.register(print, "Error: no summary")
    raise MemoryError("all used")


def test_failure_of_a_function_is_its_own_error(
    pool: Pool, directories: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its exit handlers and its processes print behind it."""
    (directory, *_) = directories
    path = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(path)
    runner = pool.give(order(directory, f"{Path(__file__).stem}:fail_first", PYTHONPATH=path))
    assert answer(runner) == ""
    assert "ValueError: invalid literal" in directory.attempt_log(1).read_text()
    status = directory.read_status()
    assert isinstance(status, Status)
    assert status.failure == Failure("out-of-memory", "MemoryError: all used")
    pool.take_back(runner)


class DyingServer(ForkServer):
    """Dies before its first two forks."""

    deaths = 2

    def fork(self, process: ForkServerProcess, theirs: Connection) -> None:
        if self.deaths:
            self.deaths -= 1
            raise (EOFError, ConnectionRefusedError)[self.deaths]
        super().fork(process, theirs)


def test_request_is_given_although_the_server_died(directories: list[RunDirectory]) -> None:
    """Otherwise the run would be left, for something that has nothing to do with it."""
    pool = Pool(DyingServer())
    runner = pool.give(order(directories[0]))
    assert answer(runner) == ""
    assert directories[0].observe().state is State.DONE
    pool.take_back(runner)
    pool.close()


def test_environment_is_that_of_the_order(
    pool: Pool, directories: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the run before was given is not there any more."""
    (tmp_path / "teller.py").write_text(
        "import os\ndef main():\n    print([os.environ.get(key) for key in 'AB'])\n"
    )
    monkeypatch.chdir(tmp_path)
    for directory, given in zip(directories, ({"A": "1"}, {"B": "2"}), strict=False):
        runner = pool.give(order(directory, "teller:main", **given))
        assert answer(runner) == ""
        pool.take_back(runner)
    logs = [each.attempt_log(1).read_text() for each in directories[:2]]
    assert logs == ["['1', None]\n", "[None, '2']\n"]


def test_request_right_behind_the_order_is_not_lost(
    pool: Pool, directories: list[RunDirectory]
) -> None:
    """The runner may not have begun when the user presses Ctrl-C; such a one has no other order."""
    runner = pool.give(order(directories[0]))
    assert answer(runner) == ""
    pool.take_back(runner)
    assert pool.give(order(directories[1], PAUSE)) is runner
    runner.send(signal.SIGTERM)
    assert answer(runner) == ""
    assert directories[1].observe().reason.startswith("it was asked to stop")
    pool.take_back(runner)
    runner.join()


def test_stray_signal_to_an_idle_runner_does_not_hit_its_next_attempt(
    pool: Pool, directories: list[RunDirectory]
) -> None:
    """Nor one to its keeper, or to the fork that stands by: they had no attempt to end."""
    runner = pool.give(order(directories[0]))
    assert answer(runner) == ""
    pool.take_back(runner)
    keeper, idle = int(runner._process.pid or 0), pid_of(directories[0])
    looks = iter(lambda: process_tree.below(idle), None)
    standby = next(pid for below in looks for pid in below)
    for pid in (keeper, idle, standby):
        subprocess.run(["kill", "-QUIT", str(pid)], check=True)
    assert pool.give(order(directories[1])) is runner
    assert answer(runner) == ""
    assert directories[1].observe().state is State.DONE
    assert pid_of(directories[1]) == idle
    pool.take_back(runner)


def test_killed_one_is_replaced(pool: Pool, directories: list[RunDirectory]) -> None:
    """Whether it waits for an order, or is at work."""
    first = pool.give(order(directories[0]))
    assert answer(first) == ""
    pool.take_back(first)
    first.kill()
    first.join()
    second = pool.give(order(directories[1], PAUSE))
    second.kill()
    assert answer(second) == ""
    assert not second.is_reusable
    pool.take_back(second)
    third = pool.give(order(directories[2]))
    assert answer(third) == ""
    assert directories[2].observe().state is State.DONE
    pool.take_back(third)


def test_keeper_ends_what_a_killed_runner_has_begun(
    pool: Pool, directories: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program finishes, that is recorded, and only then is the attempt over."""
    for name in ("told", "more"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "stayer.py").write_text(
        "def main():\n    open('told', 'w').close()\n    open('more').read()\n    print('end')\n"
    )
    monkeypatch.chdir(tmp_path)
    runner = pool.give(order(directories[0], "stayer:main"))
    (tmp_path / "told").read_text()
    os.kill(pid_of(directories[0]), signal.SIGKILL)
    assert directories[0].observe().state is State.RUNNING
    (tmp_path / "more").write_text("")
    assert answer(runner) == ""
    assert directories[0].observe().state is State.DONE
    assert directories[0].attempt_log(1).read_text() == "end\n"
    assert not runner.is_reusable
    pool.take_back(runner)
    runner.join()


def test_runner_whose_keeper_is_killed_goes_on_and_can_be_stopped(
    pool: Pool, directories: list[RunDirectory]
) -> None:
    """Nobody keeps it then; requests to stop reach it all the same."""
    runner = pool.give(order(directories[0], PAUSE))
    until_running(directories[0])
    os.kill(int(runner._process.pid or 0), signal.SIGKILL)
    assert select.select([runner._end], [], [], 60)[0]
    runner.send(signal.SIGTERM)
    assert answer(runner) == ""
    assert directories[0].observe().reason.startswith("it was asked to stop")
    pool.take_back(runner)


def test_line_is_the_runners_alone(
    pool: Pool, directories: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its death is noticed while its program lives on, also one that was forked when needed."""
    os.mkfifo(tmp_path / "told")
    told = os.open(tmp_path / "told", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "stayer.py").write_text(
        "import os, signal\n"
        "def main():\n    open('told', 'w').write(str(os.getpid()))\n    signal.pause()\n"
    )
    monkeypatch.chdir(tmp_path)
    first = pool.give(order(directories[0]))
    assert answer(first) == ""
    pool.take_back(first)
    looks = iter(lambda: process_tree.below(pid_of(directories[0])), None)
    standby = next(pid for below in looks for pid in below)
    end = os.pidfd_open(standby)
    os.kill(standby, signal.SIGKILL)
    assert select.select([end], [], [], 60)[0]
    os.close(end)
    assert pool.give(order(directories[1], "stayer:main")) is first
    assert select.select([told], [], [], 60)[0]
    program = int(os.read(told, 20))
    os.close(told)
    assert program != standby
    first.kill()
    assert answer(first) == ""
    os.kill(program, signal.SIGKILL)  # it lived
    pool.take_back(first)


def test_one_that_complained_is_not_asked_again(
    pool: Pool, directories: list[RunDirectory]
) -> None:
    """What was wrong may be wrong with itself."""
    directories[0].lock.path.unlink()
    runner = pool.give(order(directories[0]))
    assert "is missing" in answer(runner)
    assert not runner.is_reusable
    pool.take_back(runner)


def test_one_waits_ready_and_no_more(pool: Pool, directories: list[RunDirectory]) -> None:
    """Others are let go: each takes memory."""
    busy = [pool.give(order(directory)) for directory in directories[:3]]
    for runner in busy:
        assert answer(runner) == ""
        pool.take_back(runner)
    pool.keep_one_ready()
    for runner in busy[1:]:
        runner.join()
    os.kill(pid_of(directories[0]), 0)  # this one lives
    pool.close()
    assert busy[0].is_gone()


def test_it_ends_with_whoever_gives_the_orders(directories: list[RunDirectory]) -> None:
    """Nobody else could end it."""
    runner = ForkedRunner(ForkServer())
    runner.order(order(directories[0]))
    assert answer(runner) == ""
    runner.release()
    runner.join()
    assert directories[0].observe().state is State.DONE


def test_what_the_first_programs_import_is_loaded_for_the_next_ones(
    directories: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the process that forks, after a trial; the runners of before are replaced."""
    library = tmp_path / "site-packages/slow_library"
    library.mkdir(parents=True)
    names = [f"part_{number}" for number in range(20)]
    for name in names:
        (library / f"{name}.py").touch()
    (library / "__init__.py").write_text(
        f"import time\nfrom slow_library import {', '.join(names)}\n"
        "until = time.monotonic() + 0.03\nwhile time.monotonic() < until: pass\n"
    )
    (tmp_path / "late.py").write_text(
        "import sys\ndef main():\n    print('slow_library' in sys.modules)\n    import slow_library\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site-packages"))
    monkeypatch.syspath_prepend(tmp_path / "site-packages")  # forks take that of this process
    monkeypatch.chdir(tmp_path)
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    server = ForkServer()
    pool = Pool(server)
    try:
        for directory, loads in zip(directories, (0, 0, 1), strict=False):
            until = time.monotonic() + 60
            while server.loads < loads:
                assert time.monotonic() < until
                pool.keep_one_ready()
            runner = pool.give(order(directory, "late:main"))
            assert answer(runner) == ""
            pool.take_back(runner)
    finally:
        pool.close()
    logs = [each.attempt_log(1).read_text() for each in directories[:3]]
    assert logs == ["False\n", "False\n", "True\n"]
