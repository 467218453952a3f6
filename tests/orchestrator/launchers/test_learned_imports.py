"""What programs import is tried once, and then loaded by the process that forks."""

from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

import pytest

from orchestrator.launchers.learned_imports import LearnedImports
from orchestrator.runner.import_trial import Judged
from orchestrator.runner.new_imports import NOTHING_NEW, NewImports

FOUND = NewImports(("one", "two"), {"HOME": "/"})


class FakeServer:
    """Stands in for the fork server: says what it was asked to fork and to load."""

    def __init__(self) -> None:
        self.trials: list[NewImports] = []
        self.loaded: list[str] = []
        self.is_dead = False

    def fork(self, process: ForkServerProcess, theirs: Connection) -> None:
        """Take the trial, instead of forking it."""
        if self.is_dead:
            raise EOFError
        self.sender, (_, found) = theirs, process._args  # type: ignore[attr-defined]
        self.trials.append(found)

    def load(self, modules: tuple[str, ...]) -> None:
        """Load modules at once."""
        self.loaded += modules

    def is_loading(self) -> bool:
        """Return that it has loaded everything."""
        return False


@pytest.fixture
def server() -> FakeServer:
    """Return the stand-in."""
    return FakeServer()


@pytest.fixture
def learned(server: FakeServer) -> LearnedImports:
    """Return what learns for it."""
    return LearnedImports(server, few=1)  # type: ignore[arg-type]


def test_imports_are_tried_and_what_is_harmless_is_loaded(
    server: FakeServer, learned: LearnedImports
) -> None:
    """Once, however many programs import the same."""
    for _ in range(3):
        learned.note(FOUND)
        learned.note(NOTHING_NEW)
        learned.tend()
    assert server.trials == [FOUND]
    assert server.loaded == []
    server.sender.send(Judged(("two",), 1.0))
    learned.tend()
    learned.note(FOUND)
    learned.tend()
    assert server.loaded == ["two"]
    assert server.trials == [FOUND]
    learned.note(NewImports(("two", "three"), {}))
    learned.tend()
    assert server.trials[1:] == [NewImports(("three",), {})]


def test_what_takes_no_time_is_not_loaded(server: FakeServer, learned: LearnedImports) -> None:
    """New runners would cost more."""
    learned.note(FOUND)
    learned.tend()
    server.sender.send(Judged(("one", "two"), 0.001))
    learned.tend()
    assert server.loaded == []


def test_few_modules_are_not_tried(server: FakeServer) -> None:
    """A trial takes longer than importing them."""
    learned = LearnedImports(server)  # type: ignore[arg-type]
    learned.note(FOUND)
    learned.tend()
    assert server.trials == []


def test_trials_come_to_an_end(server: FakeServer, learned: LearnedImports) -> None:
    """Where each run imports something else."""
    for number in range(9):
        learned.note(NewImports((f"number_{number}",), {}))
        learned.tend()
        with suppress(BrokenPipeError):  # there was no trial
            server.sender.send(Judged())
        learned.tend()
    assert len(server.trials) == 3


def test_killed_trial_teaches_nothing(server: FakeServer, learned: LearnedImports) -> None:
    """The runs import everything themselves."""
    learned.note(FOUND)
    learned.tend()
    server.sender.close()
    learned.tend()
    assert server.loaded == []
    server.is_dead = True
    learned.note(NewImports(("three",), {}))
    learned.tend()
    learned.close()
    assert server.loaded == []
