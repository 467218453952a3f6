"""Run directories that the grid no longer names, compared with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.former_runs import look_back
from orchestrator.planning.grid_changes import Change
from orchestrator.planning.load import ConfigSource, Planned, load_plan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder."""
    (tmp_path / "config.yaml").write_text(
        f"results_dir: {tmp_path}/results\nexperiment_id: small\nlr: 0.1\nsteps: 3\n"
    )
    return tmp_path


def planned(folder: Path, *overrides: str) -> Planned:
    return load_plan(ConfigSource(folder, "config", overrides))


def create(folder: Path, *overrides: str) -> None:
    """Make the run directories of a grid."""
    made = planned(folder, *overrides)
    made.experiment.prepare()
    for decision in made.plan.decisions:
        made.experiment.create(decision.run)


def test_runs_of_the_grid_are_not_former_ones(folder: Path) -> None:
    create(folder, "lr=1,2")
    changes = look_back(planned(folder, "lr=1,2,3"))
    assert (changes.former, changes.compared, changes.changes) == (0, 0, ())


def test_changed_key_is_named_with_the_number_of_runs(folder: Path) -> None:
    create(folder, "lr=1,2")
    changes = look_back(planned(folder, "lr=1,2", "steps=4"))
    assert changes.former == changes.compared == 2
    assert changes.changes == (Change("steps", "3", "4", 2),)


def test_of_many_runs_the_first_ones_are_compared(folder: Path) -> None:
    """Each takes milliseconds, and the others say the same."""
    create(folder, "lr=range(25)")
    changes = look_back(planned(folder, "steps=4"))
    assert (changes.former, changes.compared) == (25, 20)


def test_damaged_run_is_counted_and_not_compared(folder: Path) -> None:
    create(folder, "lr=1,2")
    earlier = planned(folder, "lr=1,2")
    run_id = earlier.plan.decisions[0].run.run_id
    earlier.experiment.run(run_id).config.write_text("torn: [")
    changes = look_back(planned(folder, "lr=1,2", "steps=4"))
    assert (changes.former, changes.compared) == (2, 1)
