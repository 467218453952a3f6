"""A run begins with its newest checkpoint, or again if other numbers are not accepted."""

from pathlib import Path

import pytest
from run_files import MakeRun, Train, results_of

from trainer.beginning import find_checkpoint
from trainer.config_file import read_config
from trainer.numbers_version import NUMBERS
from trainer.trainer import ModularTaskTrainer


def trainer_of(run_dir: Path) -> ModularTaskTrainer:
    return ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)


def test_new_run_begins_at_its_first_iteration(make_run: MakeRun) -> None:
    trainer = trainer_of(make_run())
    assert find_checkpoint(trainer, trainer.settings) is None
    assert (trainer.iteration, trainer.environment_changes) == (0, [])


def test_run_goes_on_from_its_newest_checkpoint(make_run: MakeRun, train: Train) -> None:
    run_dir = make_run()
    train(run_dir)
    trainer = trainer_of(run_dir)
    found = find_checkpoint(trainer, trainer.settings)
    assert found is not None
    assert trainer.iteration == found[1].state["iteration"] == 4


@pytest.mark.parametrize(("policy", "resumes"), [("resume", True), ("restart", False)])
def test_other_numbers_are_resumed_only_if_the_config_says_so(
    make_run: MakeRun,
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    *,
    resumes: bool,
) -> None:
    """Otherwise the run begins again, and says so in its results."""
    run_dir = make_run(checkpoint={"other_numbers": policy})
    with monkeypatch.context() as patch:
        patch.setattr("trainer.checkpoints.state.NUMBERS", NUMBERS - 1)
        train(run_dir)
    trainer = trainer_of(run_dir)
    assert (find_checkpoint(trainer, trainer.settings) is not None) is resumes
    train(run_dir)
    assert bool(results_of(run_dir)["environment_changes"])
