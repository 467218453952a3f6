"""What the tests of the commands share: a config folder with a grid, and runs of it."""

import ctypes
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.cli.lookup import source_of
from orchestrator.cli.main import call
from orchestrator.planning.load import load_plan
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Failure, Record, Status

CONFIG = """\
results_dir: {folder}/results
experiment_id: grid
lr: 0.1
seed: 0
"""
GRID = ("lr=0.1,0.2", "seed=0,1")


@dataclass(frozen=True)
class Grid:
    """A grid of four runs, none of which exists yet; ``orch`` calls a command on it."""

    folder: Path
    experiment: ExperimentDirectory

    def orch(self, command: str, *arguments: str) -> int:
        return call(["--config-dir", str(self.folder / "conf"), command, *arguments])

    def make(self, lr: float, seed: int, *, record: Record = Record.DONE) -> RunDirectory:
        """Make the directory of a run, with an attempt that ended."""
        axes = [f"lr={lr},9", f"seed={seed},9"]  # the first of these four runs
        where = ["--config-dir", str(self.folder / "conf")]
        planned = load_plan(source_of(parse_arguments([*where, "plan", *axes])))
        self.experiment.prepare()
        directory = self.experiment.create(planned.plan.selection.runs[0])
        failure = Failure("error", "it was not to be") if record is Record.FAILED else None
        directory.write_status(
            Status(record, 1, now(), "box", 1, ended_at=now(), exit_code=0, failure=failure)
        )
        return directory


def leave(directory: RunDirectory, **test: float | str) -> None:
    """Leave results in a run directory, as a trainer does."""
    directory.results.write_text(json.dumps({"schema": 1, "test": test}))


def write_log(directory: RunDirectory, content: bytes, attempt: int = 1) -> None:
    """Write the output of an attempt."""
    log = directory.attempt_log(attempt)
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(content)


def make_grid(folder: Path) -> Grid:
    """Write the config of the grid into a folder."""
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG.format(folder=folder))
    return Grid(folder, ExperimentDirectory(folder / "results", "grid"))


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return make_grid(tmp_path)


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return a function that tells what has been printed since it was asked last."""
    return lambda: capsys.readouterr().out


@pytest.fixture
def _obeying_permissions() -> Iterator[None]:
    """Give up root's right to read everything, which is bits 1 and 2, for the time of a test."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, rights) == 0
    before = rights[0]
    rights[0] &= ~0b110
    assert libc.capset(header, rights) == 0
    yield
    rights[0] = before
    assert libc.capset(header, rights) == 0
