"""Run directories are built aside and appear complete, whichever process is killed meanwhile."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import IdentityError
from orchestrator.grid.identity import Run, identify
from orchestrator.rundir import config_yaml
from orchestrator.rundir.build import build, publish
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import State


def test_what_a_killed_maker_left_is_swept(experiment: ExperimentDirectory) -> None:
    """An unfinished directory of a dead process is gone after the next preparation."""
    (experiment.training / ".new-0123456789abcdef").mkdir()
    experiment.prepare()
    assert list(experiment.training.iterdir()) == []


def test_run_directory_that_was_built_ahead_is_nowhere_to_be_seen_until_it_is_created(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Then it is there whole, and nothing else is."""
    for _ in range(2):
        experiment.build_ahead(runs[:1])
    assert experiment.runs() == []
    assert len(list(experiment.training.iterdir())) == 1
    directory = experiment.create(runs[0])
    assert directory.read_config() == {"seed": 0, "lr": 0.1}
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


def test_config_that_reads_as_another_one_is_not_published(
    experiment: ExperimentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A YAML library that writes a value so that it reads as another one is noticed at once."""
    experiment = ExperimentDirectory(experiment.path.parent, "first", ["device"])
    run = identify({"seed": 1, "lr": 0.1, "device": "cpu"}, {"seed": 1}, ["device"])
    monkeypatch.setattr(config_yaml, "write", lambda _: b"seed: 1\nlr: 0.2\ndevice: cpu\n")
    for make in (experiment.create, lambda it: experiment.build_ahead([it])):
        with pytest.raises(IdentityError, match="cannot be written to config"):
            make(run)
    assert list(experiment.training.iterdir()) == []
    monkeypatch.setattr(config_yaml, "write", lambda _: b"seed: 1\nlr: 0.1\ndevice: gpu\n")
    experiment.build_ahead([run])  # what does not count may differ


def test_what_was_built_ahead_in_vain_is_removed(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """By the process that built it, if another one was faster or it is no longer needed."""
    experiment.build_ahead(runs)
    build(runs[0], experiment.training / ".new-by-another")
    publish(experiment.training / ".new-by-another", experiment.run(runs[0].run_id).path)
    experiment.create(runs[0])
    assert len(list(experiment.training.glob(".new-*"))) == 2
    experiment.tear_down()
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


@pytest.mark.parametrize(
    "name", [".new-{}-1", ".new-{}", ".new-removed-{}", ".new-swept-0123", ".new-probe"]
)
def test_what_was_built_ahead_by_a_dead_process_is_swept_and_not_used(
    experiment: ExperimentDirectory, runs: list[Run], name: str
) -> None:
    """It may be half built, by this version or by an earlier one."""
    half_built = experiment.training / name.format(runs[0].run_id)
    half_built.mkdir()
    (half_built / "config.yaml").touch()
    assert experiment.create(runs[0]).read_config()
    experiment.prepare()
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


def test_what_a_live_process_has_built_ahead_is_not_swept(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The lock in it says so, whatever the process ID is; once the process is dead, it is."""
    ready, proceed = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready[0])
        os.close(proceed[1])
        experiment.build_ahead(runs)
        os.write(ready[1], b"!")
        os.read(proceed[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    os.close(proceed[0])
    other = ExperimentDirectory(experiment.results_dir, "first")
    other.prepare()
    assert len(list(experiment.training.iterdir())) == len(runs)
    os.close(proceed[1])
    os.waitpid(child, 0)
    other.prepare()
    assert list(experiment.training.iterdir()) == []


def test_workshops_of_two_processes_with_one_process_id_are_two(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """In containers every orchestrator may have the same one."""
    experiment.build_ahead(runs[:1])
    other = ExperimentDirectory(experiment.results_dir, "first")
    other.build_ahead(runs[:1])
    assert len(list(experiment.training.iterdir())) == 2
    assert experiment.create(runs[0]).observe().state is State.PENDING
    other.create(runs[0])
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


@pytest.mark.parametrize("swept", [["config.yaml"], ["run.json"], ["run.lock"], [], None])
def test_half_swept_workshop_is_never_published(
    experiment: ExperimentDirectory, runs: list[Run], swept: list[str] | None
) -> None:
    """An earlier version may have been killed over it; it is built again."""
    experiment.build_ahead(runs[:1])
    (workshop,) = experiment.training.iterdir()
    if swept is None:
        shutil.rmtree(workshop)
    for name in swept or []:
        (workshop / name).unlink()
    directory = experiment.create(runs[0])
    names = sorted(path.name for path in directory.path.iterdir())
    assert names == ["config.yaml", "run.json", "run.lock"]
    assert [path.name for path in experiment.training.iterdir()] == [runs[0].run_id]


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere"), Path.mkdir])
@pytest.mark.parametrize("name", [".new-x", ".new-data", ".new-removed-5041bf1f713df204"])
def test_what_is_not_ours_stops_nobody_and_stays(
    experiment: ExperimentDirectory, runs: list[Run], make: Callable[[Path], object], name: str
) -> None:
    """A file, a link, or a folder of the user's, whose name begins as those of workshops do."""
    path = experiment.training / name
    make(path)
    is_ours = path.is_dir() and name.startswith(".new-removed")
    experiment.prepare()
    experiment.create(runs[0])
    experiment.tear_down()
    assert os.path.lexists(path) is not is_ours
