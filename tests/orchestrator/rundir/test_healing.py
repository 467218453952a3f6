"""A partial run directory is completed from the planned run, as far as that is safe."""

import itertools
from collections.abc import Sequence

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status

PARTS = ["config.yaml", "run.json", "run.lock"]


@pytest.mark.parametrize(
    "missing", [*itertools.combinations(PARTS, 1), *itertools.combinations(PARTS, 2), PARTS]
)
def test_half_a_run_directory_is_made_whole(
    experiment: ExperimentDirectory, runs: list[Run], missing: Sequence[str]
) -> None:
    """An earlier version published it; no attempt has seen it, so nothing can be lost."""
    directory = experiment.create(runs[0])
    whole = directory.config.read_bytes()
    for name in missing:
        (directory.path / name).unlink()
    assert directory.observe().state is State.PENDING
    experiment.create(runs[0])
    assert sorted(path.name for path in directory.path.iterdir()) == PARTS
    assert directory.config.read_bytes() == whole
    assert directory.read_chosen().overrides == {"seed": 0}


def test_lock_that_an_attempt_may_hold_is_not_made_again(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """A process of the run may live, and hold the file that was removed."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.RUNNING, 1, now(), "box", 1))
    directory.lock.path.unlink()
    experiment.create(runs[0])
    seen = directory.observe()
    assert seen.state is State.FAILED
    assert "touch" in seen.reason


@pytest.mark.parametrize("content", [None, b"", b"{", bytes(30), b"[]"])
def test_damaged_identity_is_rebuilt_from_the_config(
    experiment: ExperimentDirectory, runs: list[Run], content: bytes | None
) -> None:
    """What was there is kept aside, and the run keeps the time that MLflow knows it by."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.DONE, 1, "2026-01-01T00:00:00.000+00:00", "box", 1))
    directory.identity.unlink()
    if content is not None:
        directory.identity.write_bytes(content)
    seen = directory.observe()
    assert seen.state is State.DONE
    assert "run.json" in seen.reason
    experiment.create(runs[0])
    assert directory.observe().reason == "it has finished"
    assert directory.read_chosen().overrides == {"seed": 0}
    assert directory.read_created_at() == "2026-01-01T00:00:00.000+00:00"
    aside = [path.read_bytes() for path in directory.path.glob("run.json.unreadable-*")]
    assert aside == ([] if content is None else [content])


def test_identity_is_not_rebuilt_for_another_config(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nobody can know then what was trained."""
    directory = experiment.create(runs[0])
    directory.identity.unlink()
    directory.config.write_text("seed: 9\nlr: 0.1\n")
    with pytest.raises(RunDirectoryError, match=r"run\.json"):
        experiment.create(runs[0])
    assert not directory.identity.exists()
