"""An entry point runs in a fork as if it had been started on its own."""

import fcntl
import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from orchestrator.runner.attempt_program import NOT_CALLED
from orchestrator.runner.entry_point_call import EntryPoint, Standby
from orchestrator.runner.output import Pipe

HERE = __name__


def succeed(arguments: Sequence[str]) -> int:
    print(*arguments, os.environ.get("GREETING"), os.environ.get("HOME"))
    sys.stderr.write("trouble\n")
    return 0


@hydra.main(version_base="1.3", config_path=None)
def compose(cfg: DictConfig) -> None:
    print(Path(sys.argv[0]).resolve() == Path(__file__).resolve(), sys.argv[1], cfg.a)


def fail(_arguments: Sequence[str]) -> int:
    raise ValueError("lr")


ENDS: dict[str, tuple[BaseException, str]] = {
    "error": (ValueError("lr"), "ValueError: lr\n"),
    "text": (SystemExit("no lr"), "no lr\n"),
    "interrupt": (KeyboardInterrupt("lr"), "KeyboardInterrupt: lr\n"),
    "group": (
        BaseExceptionGroup("lr", [KeyboardInterrupt()]),
        "+------------------------------------\n",
    ),
}


def fail_beside_a_process(arguments: Sequence[str]) -> int:
    multiprocessing.get_context("fork").Process(target=Path(arguments[1]).read_bytes).start()
    raise ENDS[arguments[0]][0]


def fork_and_fail(_arguments: Sequence[str]) -> int:
    if os.fork() == 0:
        raise MemoryError("child")
    os.wait()
    raise RuntimeError("parent")


def fail_without_stderr(_arguments: Sequence[str]) -> int:
    sys.stderr = None
    raise RuntimeError("unseen")


def close_all(arguments: Sequence[str]) -> int:
    lock = int(os.environ["ORCH_LOCK_FD"])
    os.closerange(3, lock)
    os.closerange(lock + 1, 4096)
    if arguments:
        raise RuntimeError(arguments[0])
    return 0


def leave(_arguments: Sequence[str]) -> int:
    sys.exit(5)


def crash(_arguments: Sequence[str]) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def show_lock(_arguments: Sequence[str]) -> int:
    lock = int(os.environ["ORCH_LOCK_FD"])
    with Path(f"/proc/self/fd/{lock}").open("w") as another:
        try:
            fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_inherited = os.get_inheritable(lock)
            state = f"locked, {'' if is_inherited else 'not '}inherited"
        else:
            state = "not locked"
    print(os.fstat(lock).st_ino, state)
    return 0


def count_pipes(_arguments: Sequence[str]) -> int:
    output, count = os.fstat(1), 1
    for path in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):  # that of the listing itself is closed again
            count += int(path.name) > 2 and os.path.samestat(os.fstat(int(path.name)), output)
    print(count)
    return 0


def stop_oneself(_arguments: Sequence[str]) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return 0


@pytest.fixture
def output() -> Iterator[Pipe]:
    """Return the pipe that takes the output."""
    pipe = Pipe()
    yield pipe
    pipe.close_reading()


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a file that is locked."""
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


Run = Callable[..., int]


@pytest.fixture(params=["made ahead", "made when needed"])
def standby(request: pytest.FixtureRequest) -> Iterator[Standby | None]:
    """Return a fork that stands by, or none: nobody may see a difference."""
    if request.param == "made when needed":
        yield None
    else:
        with Standby() as standby:
            yield standby


@pytest.fixture
def run(standby: Standby | None, output: Pipe, lock: int) -> Run:
    """Return what calls a function to its end."""

    def call(function: str, *arguments: str) -> int:
        program = EntryPoint(f"{HERE}:{function}", arguments, standby)
        started = program.prepare({"GREETING": "hello"}, output, lock).start()
        output.close_writing()
        return started.wait()

    return call


def read(output: Pipe) -> str:
    return (output.read() or b"").decode()


def test_output_arguments_and_environment_are_its_own(run: Run, output: Pipe) -> None:
    """Both streams go to the file; of the environment only what is given is there."""
    assert run("succeed", "a", "b") == 0
    assert read(output) == "a b hello None\ntrouble\n"


def test_hydra_app_reads_its_overrides_as_a_script_does(
    run: Run, output: Pipe, tmp_path: Path
) -> None:
    """It gets no list, and Hydra may have been initialized when its module was imported."""
    with hydra.initialize(config_path=None, version_base="1.3"):
        code = run("compose", "+a='1'", f"hydra.run.dir={tmp_path}", "hydra.output_subdir=null")
    assert (code, read(output)) == (0, "True +a='1' 1\n")
    assert not GlobalHydra.instance().is_initialized()


def test_uncaught_exception_is_a_traceback_and_exit_code_1(run: Run, output: Pipe) -> None:
    """It ends like any Python program."""
    assert run("fail") == 1
    assert read(output).endswith("ValueError: lr\n")


@pytest.mark.parametrize("end", ENDS)
def test_error_is_told_before_the_processes_of_the_program_are_waited_for(
    output: Pipe, lock: int, tmp_path: Path, end: str
) -> None:
    """Of a process that never ends, nobody would hear otherwise why its program does not go on."""
    hold = tmp_path / "hold"
    os.mkfifo(hold)
    program = EntryPoint(f"{HERE}:fail_beside_a_process", (end, f"{hold}"))
    started = program.prepare({}, output, lock).start()
    output.close_writing()
    told = ""
    while not told.endswith(ENDS[end][1]):
        assert select.select([output.reading], [], [], 60)[0]
        told += read(output)
    hold.write_bytes(b"")
    assert started.wait() == 1
    assert "multiprocessing" not in told + read(output)
    assert isinstance(started, Standby)
    assert started.error == told
    assert started.found.names


@pytest.mark.parametrize(
    ("function", "arguments", "code", "told"),
    [
        ("fork_and_fail", (), 1, "RuntimeError: parent\n"),
        ("fail_without_stderr", (), 1, "RuntimeError: unseen\n"),
        ("close_all", (), 0, ""),
        ("close_all", ("lost",), 1, ""),
    ],
)
def test_error_is_that_of_the_process_that_was_called(
    output: Pipe, lock: int, function: str, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Not of a child that it forks, nor of a standard error or a connection that is gone."""
    started = EntryPoint(f"{HERE}:{function}", arguments).prepare({}, output, lock).start()
    output.close_writing()
    assert started.wait() == code
    assert isinstance(started, Standby)
    assert started.error.endswith(told)
    assert bool(started.error) is bool(told)
    assert read(output).endswith(told or "".join(f"RuntimeError: {it}\n" for it in arguments))


@pytest.mark.parametrize(
    ("function", "code"),
    [("leave", 5), ("crash", -signal.SIGKILL), ("stop_oneself", -signal.SIGTERM)],
)
def test_exit_codes_and_signals_come_back(run: Run, function: str, code: int) -> None:
    """The runner sees what the kernel saw."""
    assert run(function) == code


def test_it_leads_a_process_group_of_its_own(
    standby: Standby | None, output: Pipe, lock: int
) -> None:
    """Its group can be signalled as soon as it is started."""
    program = EntryPoint(f"{HERE}:leave", (), standby)
    started = program.prepare({}, output, lock).start()
    output.close_writing()
    assert os.getpgid(started.pid) == started.pid
    started.wait()


def test_it_knows_and_holds_the_lock(run: Run, output: Pipe, lock: int) -> None:
    """Under whatever number it has it; what it executes does not have it."""
    assert run("show_lock") == 0
    assert read(output) == f"{os.fstat(lock).st_ino} locked, not inherited\n"


def test_no_end_of_the_pipe_stays_with_it_but_the_writing_one(run: Run, output: Pipe) -> None:
    """It would write on for ever into a pipe that nobody else reads."""
    assert run("count_pipes") == 0
    assert read(output) == "1\n"


def test_one_that_was_killed_is_replaced(output: Pipe, lock: int) -> None:
    """A standby fork may be killed if memory runs out; the run is not."""
    with Standby() as standby:
        os.kill(standby.pid, signal.SIGKILL)
        assert standby.wait() == -signal.SIGKILL
        started = EntryPoint(f"{HERE}:succeed", ("a",), standby).prepare({}, output, lock).start()
        output.close_writing()
        assert started.wait() == 0
    assert started.pid != standby.pid
    assert read(output).startswith("a None")


def test_one_that_is_let_go_ends() -> None:
    """Also if the process that made it is gone: its end of the pipe is closed then."""
    with Standby() as standby:
        standby.drop()
        assert standby.wait() == NOT_CALLED


@pytest.mark.parametrize("is_stopped", [False, True])
def test_one_that_is_not_needed_is_gone_with_whoever_made_it(*, is_stopped: bool) -> None:
    """An orchestrator that has ended leaves no process behind, for no moment."""
    with Standby() as standby:
        if is_stopped:
            os.kill(standby.pid, signal.SIGSTOP)
        end = os.pidfd_open(standby.pid)
    assert select.select([end], [], [], 0)[0]
    os.close(end)


def test_signals_wait_for_the_program(output: Pipe, lock: int) -> None:
    """A request to stop that comes while it becomes a program is not lost."""
    with Standby() as standby:
        os.kill(standby.pid, signal.SIGTERM)
        started = EntryPoint(f"{HERE}:succeed", (), standby).prepare({}, output, lock).start()
        output.close_writing()
        assert started.wait() == -signal.SIGTERM


def test_stray_signal_to_a_fork_that_stands_by_does_not_hit_its_program(
    output: Pipe, lock: int
) -> None:
    """Its sender cannot have meant a program that did not exist."""
    with Standby() as standby:
        subprocess.run(["kill", "-QUIT", str(standby.pid)], check=True)
        started = EntryPoint(f"{HERE}:succeed", (), standby).prepare({}, output, lock).start()
        output.close_writing()
        assert started.wait() == 0


@pytest.mark.parametrize("is_ahead", [True, False])
def test_nothing_is_called_before_the_word(output: Pipe, lock: int, *, is_ahead: bool) -> None:
    """A program that is ready, and not needed after all, ends without a call, and with it its lock."""
    with Standby() as standby:
        program = EntryPoint(f"{HERE}:succeed", ("a",), standby if is_ahead else None)
        program.prepare({}, output, lock).drop()
    output.close_writing()
    assert read(output) == ""
