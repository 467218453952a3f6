"""What the tests of the orchestrator share: an experiment's folder, and runs to put into it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from orchestrator.grid.identity import Run, identify
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.runner import process_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.workermanage import WorkerController

# What a shell's background job or nohup ignores, every orch that a test starts would ignore too.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)
# What is imported and collected lives to the end: looking for garbage in it took 40 % of that time.
gc.disable()
# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_TESTS = Path(__file__).parent
sys.path.append(str(_TESTS / "support/cases"))
# Thousands of run directories are written there and removed, each file with an fsync or more.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 # pytest makes a folder of this user's own in it
_ENOUGH = 2 << 30  # bytes; a container may have a few megabytes
_ORDER = {
    name: place
    for place, name in enumerate(
        ("faults", "docs", "end_to_end", "hydra_launcher", "contract", "trainer")
    )
}


def pytest_configure(config: pytest.Config) -> None:
    """Put the folders of tests in memory, unless the caller says where, or there is too little."""
    if config.option.basetemp is None and _IN_MEMORY.is_dir():
        there = os.statvfs(_IN_MEMORY)
        can_execute = not there.f_flag & os.ST_NOEXEC  # programs that tests write; not in Docker
        if can_execute and there.f_bavail * there.f_frsize >= _ENOUGH:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))


class _Scheduling(LoadFileScheduling):
    """Keep the tests of a file in one process, for they share what is made once.

    The parts of a long test, and the pages of the documentation, share nothing: whichever process is
    free takes the next one.
    """

    def _split_scope(self, nodeid: str) -> str:
        is_alone = "[part " in nodeid or "test_code_blocks.py" in nodeid
        return nodeid if is_alone else str(super()._split_scope(nodeid))

    def remove_node(self, node: WorkerController) -> str | None:
        """Return the test that ended its process, which fails; it is not run again in the next one."""
        test = super().remove_node(node)
        for unit in self.workqueue.values():
            if test in unit:
                unit[test] = True
        return cast("str | None", test)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling | None:
    """Schedule ``--dist loadfile`` our way, in the order in which the tests were collected."""
    config.option.loadscopereorder = False
    return _Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole programs, which take longest, so that no process is left with one at the end."""
    items.sort(key=lambda item: _ORDER.get(item.path.relative_to(_TESTS).parts[0], len(_ORDER)))


def pytest_collection_finish() -> None:
    """Collect garbage from here on, though not in what is there already."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def experiment(tmp_path: Path) -> ExperimentDirectory:
    """Return an experiment whose folder is ready for runs."""
    directory = ExperimentDirectory(tmp_path / "results", "first")
    directory.prepare()
    return directory


@pytest.fixture
def runs() -> list[Run]:
    """Return three runs that differ in their seed."""
    return [identify({"seed": seed, "lr": 0.1}, {"seed": seed}) for seed in range(3)]


@pytest.fixture(autouse=True)
def _same_signals_blocked() -> Iterator[None]:
    """Restore the mask of signals: code of forked processes changes it, and programs inherit it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves what later tests of this process would see, and remove it.

    That is a child process, another current folder, or a changed environment. Fork servers may stay:
    they are shared.
    """
    environment, folder, before = _environment(), Path.cwd(), set(process_tree.children())
    yield
    left = []
    for pid in {*process_tree.children()} - before - _servers():
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        left.append(f"process {pid} ({name})")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    if Path.cwd() != folder:
        left.append(f"the current folder {Path.cwd()}")
        os.chdir(folder)
    if changed := _environment().items() ^ environment.items():
        left.append(f"the environment variables {sorted({name for name, _ in changed})}")
        for name, _ in changed:
            os.environ.pop(name, None)
        os.environ.update(environment)
    assert not left


def _environment() -> dict[str, str]:
    """Return the environment without what pytest, and the imports of MLflow and PyTorch, change."""
    theirs = ("PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR", "_MLFLOW_")
    return {name: value for name, value in os.environ.items() if not name.startswith(theirs)}


def _servers() -> set[int | None]:
    """Return the processes that ``multiprocessing`` keeps for all of its users."""
    return {
        getattr(forkserver._forkserver, "_forkserver_pid", None),
        getattr(resource_tracker._resource_tracker, "_pid", None),
    }
