"""A part of a model that was meant to stay in evaluation mode, and is switched, is named once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from torch import nn

from trainer.parts_in_evaluation import switch_to_training

if TYPE_CHECKING:
    from run_files import MakeRun, Train


class Parts(nn.Module):
    """A model of two parts, of which the second one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
        self.teacher = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
        self.teacher.requires_grad_(requires_grad=False)


class Keeping(Parts):
    """A model that keeps a part in evaluation mode."""

    def train(self, mode: bool = True) -> Any:  # noqa: FBT001, FBT002 - PyTorch's
        super().train(mode)
        self.teacher.eval()
        return self


def put_into_evaluation(*names: str, kind: type[Parts] = Parts) -> Parts:
    """Make a model, with parts of it in evaluation mode."""
    model = kind()
    for name in names:
        model.get_submodule(name).eval()
    return model


@pytest.mark.parametrize("names", [("teacher",), ("head.1",), ("head.2",), ("head.1", "teacher")])
def test_part_that_is_switched_is_named(
    capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    """A frozen one, or a layer that computes otherwise in training."""
    model = put_into_evaluation(*names)
    named = ", ".join(f"model.{name}" for name in names)
    switch_to_training(model, is_first=True)
    assert capsys.readouterr().out.startswith(f"note: {named} was in evaluation mode")
    assert all(each.training for each in model.modules())


def test_many_parts_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a deep model, whose norms are all frozen, some are enough."""
    model = nn.Sequential(*(nn.Sequential(nn.BatchNorm1d(2)) for _ in range(5)))
    for each in model:
        each[0].eval()  # type: ignore[index]  # a Sequential
    switch_to_training(model, is_first=True)
    assert "model.0.0, model.1.0, model.2.0 and 2 more was in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "model",
    [
        Parts(),
        Parts().eval(),
        put_into_evaluation("head"),
        put_into_evaluation("head.0"),
        put_into_evaluation("teacher.0"),
        put_into_evaluation("teacher", kind=Keeping),
    ],
)
def test_part_that_may_be_switched_or_is_not_is_not_named(
    capsys: pytest.CaptureFixture[str], model: nn.Module
) -> None:
    """As one that was loaded to be trained on, or computes the same."""
    switch_to_training(model, is_first=True)
    assert capsys.readouterr().out == ""


def test_modes_of_later_iterations_are_those_of_the_evaluation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So nothing is said of them."""
    switch_to_training(put_into_evaluation("teacher"), is_first=False)
    assert capsys.readouterr().out == ""


def test_it_is_told_once_per_process(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever callback has done it."""
    train(
        make_run(
            model={"_target_": "idle_modules.Freezing", "event": "cb_on_iteration_begin"},
            iterations=3,
        )
    )
    assert capsys.readouterr().out.count("note: model.layers.1 was in evaluation mode") == 1


def test_mode_that_is_set_at_each_step_stays(
    make_run: MakeRun, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the note says."""
    train(make_run(model={"_target_": "idle_modules.Freezing", "event": "cb_on_step_begin"}))
    assert "note" not in capsys.readouterr().out
