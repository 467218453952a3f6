"""The steps of an iteration take batches of one pass, and callbacks hear of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from run_files import results_of
from user_modules import Diary

if TYPE_CHECKING:
    from run_files import MakeRun, Train


def test_accumulation_makes_fewer_steps_of_an_epoch(make_run: MakeRun, train: Train) -> None:
    """Six batches are two steps of four and two batches, and callbacks hear of two."""
    run_dir = make_run(accumulate=4, curriculum={"_target_": "user_modules.Counter"})
    train(run_dir)
    assert results_of(run_dir)["final"]["curriculum/steps"] == 4 * 2


def test_accumulated_step_ends_with_its_pass(make_run: MakeRun, train: Train) -> None:
    """Steps of four and two batches alternate when an iteration is a number of steps."""
    Diary.heard.clear()
    diary = {"_target_": "user_modules.Diary"}
    train(make_run(accumulate=4, training_type="step", iterations=1, curriculum=diary))
    events = [event[1] for event in Diary.heard]
    assert events.count("step_end") == 4
    assert events.count("loader_exhausted") == 2
