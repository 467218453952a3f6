"""``orch logs`` prints what a run printed."""

import fcntl
import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Self

import pytest
from rich.console import Console

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.commands.logs import logs
from orchestrator.errors import UsageError
from orchestrator.rundir.state import Record

from .conftest import Grid, write_log

HOSTILE = b"a\x1b]0;title\x07b\x1b[2J\r\nprogress\rdone\t\xff\xc3\xa9\xe2\x80\xae\n"


def test_log_of_the_last_attempt_is_printed_as_it_is(
    grid: Grid, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Into a pipe goes every byte, of the last attempt or of the one that is asked for."""
    directory = grid.make(0.1, 0)
    write_log(directory, b"first\n", 1)
    write_log(directory, HOSTILE, 2)
    for arguments, expected in (([], HOSTILE), (["--attempt", "1"], b"first\n")):
        assert grid.orch("logs", directory.run_id, *arguments) == 0
        assert capfdbinary.readouterr().out == expected


def _on_a_terminal(grid: Grid, *arguments: str) -> str:
    screen = io.StringIO()
    options = parse_arguments(["--config-dir", str(grid.folder / "conf"), "logs", *arguments])
    logs(options, Console(file=screen, force_terminal=True))
    return screen.getvalue()


def test_log_steers_no_terminal(grid: Grid) -> None:
    """Escape sequences become question marks; lines, tabs and letters stay."""
    directory = grid.make(0.1, 0)
    write_log(directory, HOSTILE)
    told = _on_a_terminal(grid, directory.run_id)
    assert told == "a?]0;title?b?[2J\nprogress\ndone\t\N{REPLACEMENT CHARACTER}é?\n"


@pytest.mark.parametrize("content", [b"", b"1\n2\n3\n", b"1\n2\n3", b"\n\n\n", b"x" * 200_000,
                                     b"".join(b"%d\n" % n for n in range(50_000))])  # fmt: skip
@pytest.mark.parametrize("lines", [0, 1, 2, 3, 4, 40_000])
def test_tail_is_the_last_lines(
    grid: Grid, content: bytes, lines: int, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """However long they are, whether or not the last one is complete."""
    directory = grid.make(0.1, 0)
    write_log(directory, content)
    grid.orch("logs", directory.run_id, "--tail", str(lines))
    expected = content.splitlines(keepends=True)[-lines:] if lines else []
    assert capfdbinary.readouterr().out == b"".join(expected)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_following_ends_with_the_run(grid: Grid) -> None:
    """What is written before the end is printed, the very last of it as well."""
    directory = grid.make(0.1, 0, record=Record.RUNNING)
    write_log(directory, b"begun\n")
    lock = directory.lock.open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    screen = io.StringIO()

    def go_on() -> None:
        _until(lambda: "begun" in screen.getvalue())
        with directory.attempt_log(1).open("ab") as log:
            log.write(b"goes on\n")
        _until(lambda: "goes on" in screen.getvalue())
        with directory.attempt_log(1).open("ab") as log:
            log.write(b"ends\n")
        os.close(lock)

    thread = threading.Thread(target=go_on)
    thread.start()
    options = parse_arguments(
        ["--config-dir", str(grid.folder / "conf"), "logs", directory.run_id, "-f"]
    )
    assert logs(options, Console(file=screen, force_terminal=True)) == 0
    thread.join()
    assert screen.getvalue() == "begun\ngoes on\nends\n"


def test_log_that_is_not_there_is_refused_with_those_there_are(grid: Grid) -> None:
    """Of a run that has not begun, and of an attempt that there was none of."""
    directory = grid.make(0.1, 0)
    with pytest.raises(UsageError, match="has no log: it has finished"):
        grid.orch("logs", directory.run_id)
    write_log(directory, b"")
    with pytest.raises(UsageError, match=r"no log of attempt 2: it has attempt-001\.log"):
        grid.orch("logs", directory.run_id, "--attempt", "2")


def test_json_holds_the_log_as_text(grid: Grid, output: Callable[[], str]) -> None:
    """And says which log it is."""
    directory = grid.make(0.1, 0)
    write_log(directory, b"one\ntwo\n")
    grid.orch("logs", directory.run_id, "--json", "--tail", "1")
    told = json.loads(output())
    assert (told["run_id"], told["text"]) == (directory.run_id, "two\n")


@contextmanager
def executed(grid: Grid) -> Iterator[None]:
    """Be an orchestrator of the experiment for a while."""
    grid.experiment.prepare()
    descriptor = os.open(grid.experiment.path / "orchestrators.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        yield
    finally:
        os.close(descriptor)


def follow(grid: Grid, *arguments: str) -> tuple[io.StringIO, threading.Thread, list[object]]:
    """Let ``orch logs -f`` run in a thread; its end is in the list."""
    screen, ends = io.StringIO(), list[object]()
    where = ["--config-dir", str(grid.folder / "conf")]
    options = parse_arguments([*where, "logs", "-f", *arguments])

    def call() -> None:
        try:
            ends.append(logs(options, Console(file=screen, force_terminal=True)))
        except UsageError as error:
            ends.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return screen, thread, ends


@pytest.fixture
def unsignalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a thread take over signals, which Python allows to the main thread only."""
    module = import_module("orchestrator.cli.commands.logs")
    monkeypatch.setattr(module, "StopRequests", NoRequests)


class NoRequests:
    asked = False

    def __init__(self) -> None:
        self._ends = os.pipe()

    def fileno(self) -> int:
        return self._ends[0]

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        for end in self._ends:
            os.close(end)


@pytest.mark.usefixtures("unsignalled")
def test_following_goes_on_from_attempt_to_attempt(grid: Grid) -> None:
    """Also through the pause in between, in which nothing runs, and before the first one begins."""
    directory = grid.make(0.1, 0, record=Record.FAILED)
    with executed(grid):
        screen, thread, ends = follow(grid, directory.run_id)
        write_log(directory, b"first\n", 1)
        _until(lambda: "first" in screen.getvalue())
        write_log(directory, b"second\n", 2)
        _until(lambda: "second" in screen.getvalue())
        assert not ends
    thread.join(20)
    assert ends == [0]
    assert screen.getvalue() == "first\nsecond\n"


@pytest.mark.usefixtures("unsignalled")
def test_following_one_attempt_ends_with_it(grid: Grid) -> None:
    """And what is done is over, whatever else is executed."""
    failed, done = grid.make(0.1, 0, record=Record.FAILED), grid.make(0.1, 1)
    write_log(failed, b"1\n")
    write_log(done, b"2\n")
    with executed(grid):
        for name, arguments in ((failed.run_id, ["--attempt=1"]), (done.run_id, [])):
            _, thread, ends = follow(grid, name, *arguments)
            thread.join(20)
            assert ends == [0]


@pytest.mark.usefixtures("unsignalled")
def test_log_is_waited_for_only_while_somebody_may_begin_it(grid: Grid) -> None:
    """Without anybody at work, there will be none."""
    directory = grid.make(0.1, 0, record=Record.FAILED)
    _, thread, ends = follow(grid, directory.run_id)
    thread.join(20)
    assert "has no log" in str(ends[0])


@pytest.mark.parametrize("follow_it", [[], ["--follow"]])
def test_what_is_no_log_is_refused(grid: Grid, follow_it: list[str]) -> None:
    """A pipe would be waited for without end."""
    directory = grid.make(0.1, 0)
    log = directory.attempt_log(1)
    log.parent.mkdir()
    os.mkfifo(log)
    with pytest.raises(UsageError, match=r"attempt-001\.log: "):
        grid.orch("logs", directory.run_id, *follow_it)
