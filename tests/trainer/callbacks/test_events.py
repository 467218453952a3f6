"""Callbacks are checked when the trainer is built and called in a fixed order."""

# ruff: noqa: ARG005 - a callback's parameters are what is tested

from collections.abc import Callable
from typing import Any

import pytest
from run_files import MakeRun, Train
from user_modules import Diary, Misspelt, Wrong

from trainer.callbacks.events import PARAMETERS, Callbacks, collect_callbacks
from trainer.errors import CallbackError


def listening(event: str, callback: Callable[..., None]) -> object:
    """Make a module with one callback."""
    return type("Module", (), {event: callback})()


def test_events_come_in_the_documented_order(
    make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two iterations of two steps call every event at its time, with its values."""
    monkeypatch.setattr(Diary, "heard", [])
    train(make_run(iterations=2, batch_size=22, curriculum={"_target_": "user_modules.Diary"}))
    metrics = ["lr", "train/loss", "validation/accuracy", "validation/loss"]
    iterations = [
        [
            ("", "iteration_begin", iteration),
            ("", "step_begin", iteration, 0),
            ("", "step_end", iteration, 0, float),
            ("", "step_begin", iteration, 1),
            ("", "step_end", iteration, 1, float),
            ("", "loader_exhausted", iteration),
            ("", "iteration_end", iteration, metrics),
        ]
        for iteration in (1, 2)
    ]
    end = ("", "train_end", ["test/accuracy", "test/loss"])
    assert Diary.heard == [("", "train_begin"), *iterations[0], *iterations[1], end]


def test_step_training_exhausts_the_loader_within_an_iteration(
    make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 6 batches a pass and 4 steps an iteration, passes end in iterations 2 and 3."""
    monkeypatch.setattr(Diary, "heard", [])
    curriculum = {"_target_": "user_modules.Diary"}
    train(make_run(iterations=3, training_type="step", curriculum=curriculum))
    exhausted = [entry[2] for entry in Diary.heard if entry[1] == "loader_exhausted"]
    assert exhausted == [2, 3]


def test_modules_are_called_in_order_and_once_each() -> None:
    """An object with two roles is asked once, at its first role."""
    first, second = Diary("first"), Diary("second")
    callbacks = collect_callbacks({"data": first, "model": second, "curriculum": first})
    assert [each.__self__ for each in callbacks.cb_on_train_begin] == [first, second]  # type: ignore[attr-defined]


def test_events_without_listeners_are_empty_tuples() -> None:
    """Nothing is called where nobody listens."""
    assert collect_callbacks({"data": object()}) == Callbacks(*[()] * 9)


def test_unknown_callback_is_an_error_with_the_nearest_name() -> None:
    """A misspelling is found when the trainer is built."""
    with pytest.raises(
        CallbackError, match=r"^curriculum: .*Did you mean 'cb_on_iteration_end'\?$"
    ):
        collect_callbacks({"curriculum": Misspelt()})


def test_wrong_parameters_are_an_error_with_the_right_ones() -> None:
    """The message can be pasted into the module."""
    right = r"`def cb_on_step_end\(self, trainer, iteration, batch_idx, loss\)`"
    with pytest.raises(CallbackError, match=right):
        collect_callbacks({"curriculum": Wrong()})


@pytest.mark.parametrize(
    "callback",
    [
        lambda self: None,
        lambda self, trainer: None,
        lambda self, trainer, iteration, metrics, more: None,
        lambda self, trainer, step, metrics: None,
        lambda self, trainer, iteration, metrics, *, more: None,
        lambda self, metrics, iteration, trainer: None,
        lambda: None,
    ],
)
def test_callback_that_does_not_fit_is_refused(callback: Any) -> None:
    """Too few, too many or other parameters never reach the training."""
    with pytest.raises(CallbackError, match="wrong parameters"):
        collect_callbacks({"data": listening("cb_on_iteration_end", callback)})


@pytest.mark.parametrize(
    "callback",
    [
        lambda self, trainer, iteration, metrics: [trainer, iteration, metrics],
        lambda self, trainer, iteration, metrics, more=1: [trainer, iteration, metrics],
        lambda self, *values: [*values],
        lambda self, trainer, *rest: [trainer, *rest],
        lambda self, _trainer, iteration, _: [_trainer, iteration, _],
        lambda self, trainer, **rest: [trainer, rest["iteration"], rest["metrics"]],
        lambda self, *, trainer, iteration, metrics: [trainer, iteration, metrics],
    ],
)
def test_callback_that_fits_gets_its_values(callback: Callable[..., None]) -> None:
    """However it takes them, each value arrives where it belongs."""
    callbacks = collect_callbacks({"data": listening("cb_on_iteration_end", callback)})
    call: Callable[..., Any] = callbacks.cb_on_iteration_end[0]
    assert call("trainer", 1, {}) == ["trainer", 1, {}]


def test_all_seven_events_of_the_specification_are_there() -> None:
    """And three of ours; the table of events and the listeners' names agree."""
    assert [*PARAMETERS] == [*Callbacks.__dataclass_fields__]
    own = {"cb_on_evaluation_begin", "cb_on_evaluation_end", "cb_on_update"}
    assert len(PARAMETERS.keys() - own) == 7
