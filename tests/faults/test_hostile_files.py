"""Whatever stands in the place of a file of ours: no command hangs, ends with a traceback or follows it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from thinning import others_in_soak

from orchestrator.cli.main import call
from orchestrator.errors import OrchestratorError
from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, Status

CONFIG = """\
results_dir: {folder}/results
experiment_id: hostile
seed: 0
orch: {{command: ["true"], tracking: {{enabled: false}}, workers: 2}}
"""
VICTIM = b'{"nobody": "may touch this"}\n'
LONGEST = 30  # seconds for one command, which may execute a dozen runs on a busy machine
SPARSE = 200 << 30
FILES = [
    "status.json",
    "run.json",
    "config.yaml",
    "run.lock",
    "progress.json",
    "metrics.jsonl",
    "results.json",
    "logs",
    "logs/attempt-001.log",
    "checkpoints",
]


def a_folder(path: Path, _: Path) -> None:
    path.mkdir()
    (path / "kept").touch()


def a_socket(path: Path, _: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def a_sparse_file(path: Path, _: Path) -> None:
    path.touch()
    os.truncate(path, SPARSE)


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "a pipe": lambda path, _: os.mkfifo(path),
    "a folder": a_folder,
    "a link": lambda path, victim: path.symlink_to(victim),
    "a link to a folder": lambda path, victim: path.symlink_to(victim.parent),
    "a link to nothing": lambda path, _: path.symlink_to("nothing"),
    "a link to itself": lambda path, _: path.symlink_to(path.name),
    "a hard link": lambda path, victim: path.hardlink_to(victim),
    "a socket": a_socket,
    "a sparse file": a_sparse_file,
    "zeros": lambda path, _: path.write_bytes(bytes(4096)),
    "garbage": lambda path, _: path.write_bytes(b"\x80\x1b]0;title\x07\n" * 99),
    "brackets": lambda path, _: path.write_bytes(b"[" * 200_000),
    "digits": lambda path, _: path.write_bytes(b'{"attempt": ' + b"9" * 9000 + b"}"),
    "nothing": lambda path, _: path.write_bytes(b""),
}
# One of a sort; the others are for the soak, since each takes seconds.
OFTEN = ("a pipe", "garbage")


@pytest.fixture(autouse=True)
def no_command_hangs() -> Iterator[None]:
    """Raise in a command that does not end."""

    def raise_timeout(_number: int, _frame: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, raise_timeout)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def orch(folder: Path, *arguments: str) -> str:
    """Call a command and return what it refused, in one line; an empty text if it did not."""
    signal.alarm(LONGEST)
    try:
        call(["--config-dir", str(folder / "conf"), *arguments])
    except OrchestratorError as error:
        return str(error)
    finally:
        signal.alarm(0)
    return ""


def clear(path: Path) -> None:
    """Remove what stands under a name."""
    if path.is_dir():
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def make_runs(folder: Path, record: Record) -> dict[str, Path]:
    """Make a run directory for each file, with everything in it; return the place of that file."""
    (folder / "conf").mkdir()
    (folder / "conf/config.yaml").write_text(CONFIG.format(folder=folder))
    source = ConfigSource(folder / "conf", "config", (f"seed=range({len(FILES)})",))
    experiment = ExperimentDirectory(folder / "results", "hostile")
    experiment.prepare()
    places = {}
    for name, run in zip(FILES, load_plan(source).plan.selection.runs, strict=True):
        directory = experiment.create(run)
        (directory.path / "logs").mkdir()
        (directory.path / "logs/attempt-001.log").touch()
        directory.write_status(Status(record, 1, now(), "box", 1, ended_at=now()))
        (directory.path / "progress.json").write_text('{"iteration": 1, "iterations": 2}')
        directory.metrics.write_text('{"key": "loss", "value": 1, "step": 1}\n')
        directory.results.write_text('{"test": {"loss": 1}}')
        (directory.path / "checkpoints").mkdir()
        places[name] = directory.path / name
    return places


@pytest.mark.parametrize(
    "record", others_in_soak((Record.DONE, Record.INTERRUPTED), (Record.INTERRUPTED,))
)
@pytest.mark.parametrize("kind", others_in_soak(KINDS, OFTEN))
def test_nothing_hangs_fails_or_follows(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, record: Record
) -> None:
    """One run for each file of a run directory, in whose place something else stands."""
    places = make_runs(tmp_path, record)
    (tmp_path / "precious").mkdir()
    victim = tmp_path / "precious/victim"
    victim.write_bytes(VICTIM)
    for path in places.values():
        clear(path)
        KINDS[kind](path, victim)
    seeds = f"seed=range({len(FILES)})"
    run_ids = [entry.name for entry in (tmp_path / "results/hostile/training").iterdir()]
    refused = [
        orch(tmp_path, *command, seeds)
        for command in (["plan"], ["status"], ["status", "--json"], ["results"], ["prune"])
    ]
    refused += [
        orch(tmp_path, *command, seeds)
        for run_id in run_ids
        for command in (["show", run_id], ["diff", run_id, run_ids[0]])
    ]
    refused += [orch(tmp_path, "run", seeds, "--quiet") for _ in range(2)]
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "\x1b" not in said.out + said.err
    refused += [orch(tmp_path, "logs", run_id, seeds) for run_id in run_ids]  # raw in a pipe
    assert all(line.isprintable() for line in refused), refused
    orch(tmp_path, "prune", "seed=99", "--yes", "--without-grid")
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    assert victim.read_bytes() == VICTIM
