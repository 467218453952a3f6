"""What nothing calls is told in a note, and what somebody may call is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from run_files import MakeRun, Start
from torch import nn
from user_modules import run_program

from trainer.callbacks.uncalled import describe_uncalled

if TYPE_CHECKING:
    from collections.abc import Callable


class Part(nn.Module):
    """A part with a callback."""

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Do nothing."""


class Calling(nn.Sequential):
    """A model that calls its part."""

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Call it."""
        self[0].cb_on_step_end(trainer, iteration, batch_idx, loss)


class Plain:
    """An object without callbacks."""

    def __init__(self, part: object = None) -> None:
        self.part = part


class Constructed:
    """A curriculum that acts when it is made."""

    def __init__(self, data: object = None) -> None:
        """Do nothing here."""


class WithSlots:
    """An object without attributes."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"model": nn.Sequential(nn.Linear(1, 1), Part())}, "model.1 (Part) has cb_on_step_end, "),
        ({"data": Plain(Part())}, "data.part (Part) has cb_on_step_end, which is not called: only"),
        (
            {"model": nn.Linear(1, 1), "curriculum": Plain()},
            "curriculum: Plain has no callbacks, so",
        ),
        ({"curriculum": {}}, "curriculum: dict has no callbacks, so it has no effect. Name one"),
    ],
)
def test_what_has_no_effect_is_told(modules: dict[str, object], said: str) -> None:
    assert describe_uncalled(modules).startswith(said)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"model": Part(), "curriculum": Plain()},  # the callback may use the curriculum
        lambda: {"model": Calling(Part())},
        lambda: {"model": nn.Linear(1, 1), "data": Plain(), "optimizer": WithSlots()},
        lambda: {"data": Plain(), "curriculum": Constructed()},
        lambda: {"curriculum": Part()},
    ],
)
def test_what_may_have_an_effect_is_not_told(make: Callable[[], dict[str, object]]) -> None:
    assert describe_uncalled(make()) == ""


def test_run_with_an_idle_curriculum_says_so(make_run: MakeRun, start: Start) -> None:
    """And trains."""
    scores = {"_target_": "trainer.curriculum.scores.RandomScores"}
    run_dir = make_run(curriculum=scores)
    assert start(run_program, str(run_dir)) == 0
    assert (run_dir / "err.log").read_text().startswith("note: curriculum: RandomScores has no ")
