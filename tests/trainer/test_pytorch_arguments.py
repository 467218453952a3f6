"""Values that PyTorch accepts in silence are one line each; those that may be meant are let through."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.pytorch_arguments import wrong_values

INF = float("inf")
SCHEDULES = "torch.optim.lr_scheduler"
LINEAR = {"_target_": f"{SCHEDULES}.LinearLR", "start_factor": 0.5}
COSINE = {"_target_": f"{SCHEDULES}.CosineAnnealingLR", "T_max": 3}
IN_TURN = {"_target_": f"{SCHEDULES}.SequentialLR"}

WRONG: list[tuple[str, str, list[Any]]] = [
    (f"{SCHEDULES}.MultiStepLR", "milestones", ["x", {}, None, 3, ["x"], [1.5], [-1], [True]]),
    (f"{SCHEDULES}.StepLR", "step_size", [-1, 1.5, True]),
    (f"{SCHEDULES}.StepLR", "gamma", [-0.1, True]),
    (f"{SCHEDULES}.ConstantLR", "total_iters", ["x", "", [], [1], {}, None, -1, 0, 1.5, True]),
    (f"{SCHEDULES}.LinearLR", "total_iters", [-1, 0, 1.5]),
    (f"{SCHEDULES}.PolynomialLR", "total_iters", [-1, 1.5]),
    (f"{SCHEDULES}.CosineAnnealingLR", "T_max", [-1]),
    (f"{SCHEDULES}.CosineAnnealingLR", "eta_min", [-0.1]),
    (f"{SCHEDULES}.ReduceLROnPlateau", "cooldown", ["x", [], {}, None, -1]),
    (f"{SCHEDULES}.ReduceLROnPlateau", "min_lr", ["x", ["x"], {}, None]),
    (f"{SCHEDULES}.ReduceLROnPlateau", "factor", [-1]),
    (f"{SCHEDULES}.ReduceLROnPlateau", "patience", [-1]),
    (f"{SCHEDULES}.CyclicLR", "gamma", ["x", ["x"], -1]),
    (f"{SCHEDULES}.CyclicLR", "cycle_momentum", ["x", "false", [], 2]),
    (f"{SCHEDULES}.OneCycleLR", "max_momentum", [2, [0.9, 2], True]),
    (f"{SCHEDULES}.OneCycleLR", "final_div_factor", [-1]),
    ("torch.optim.swa_utils.SWALR", "swa_lr", [-1]),
    ("torch.optim.SGD", "dampening", ["x", None, {}, ["x"], -1, 2]),
    ("torch.optim.SGD", "momentum", [9, True]),
    ("torch.optim.SGD", "maximize", ["false", "no", [0], 1.5]),
    ("torch.optim.Adam", "amsgrad", ["false", {}]),
    ("torch.optim.adam.Adam", "foreach", ["false"]),
    ("torch.optim.LBFGS", "max_iter", [-1, 0]),
    ("torch.optim.Muon", "ns_steps", [0]),
    ("torch.optim.Rprop", "etas", [["x", 2]]),
    ("torch.nn.CrossEntropyLoss", "label_smoothing", [-0.1, True]),
    ("torch.nn.functional.cross_entropy", "label_smoothing", [-0.1]),
    ("torch.nn.MSELoss", "size_average", ["false"]),
]
RIGHT: list[tuple[str, str, list[Any]]] = [
    (f"{SCHEDULES}.MultiStepLR", "milestones", [[], [1, 30], [30, 1], [2.0]]),
    (f"{SCHEDULES}.StepLR", "step_size", [1, 2.0, INF]),
    (f"{SCHEDULES}.StepLR", "gamma", [0, 1.5, False]),
    (f"{SCHEDULES}.PolynomialLR", "total_iters", [0, 3]),
    (f"{SCHEDULES}.CosineAnnealingLR", "T_max", [2.5, INF]),
    (f"{SCHEDULES}.ReduceLROnPlateau", "min_lr", [0, [0.1, 0.2]]),
    (f"{SCHEDULES}.ReduceLROnPlateau", "threshold", [-1]),
    (f"{SCHEDULES}.OneCycleLR", "max_lr", [0.1, [0.1, 0.2]]),
    (f"{SCHEDULES}.OneCycleLR", "total_steps", [None, 9]),
    (f"{SCHEDULES}.CyclicLR", "step_size_up", [1.5]),
    (f"{SCHEDULES}.LambdaLR", "lr_lambda", ["x"]),  # PyTorch refuses it
    ("torch.optim.SGD", "momentum", [0, 0.9, 1, {"_target_": "torch.tensor", "data": 0.9}]),
    ("torch.optim.SGD", "nesterov", [True, 0, None]),
    ("torch.optim.Adam", "betas", [[0.9, 0.99]]),
    ("torch.optim.Adafactor", "eps", [[None, 0.001]]),
    ("torch.optim.LBFGS", "line_search_fn", [None, "strong_wolfe"]),
    ("torch.nn.CrossEntropyLoss", "reduction", ["mean"]),
    ("torch.nn.CrossEntropyLoss", "weight", [{"_target_": "torch.tensor", "data": [-1.0]}]),
    ("torch.nn.CrossEntropyLoss", "no_such_key", ["x"]),
    ("torch.nn.Linear", "bias", ["x"]),
    ("torch.nn.functional.logsigmoid", "label_smoothing", [-1]),  # it has no signature
    ("torch.no_such.Thing", "momentum", [9]),
    ("own.Sgd", "momentum", [9]),
    (3, "momentum", [9]),  # type: ignore[list-item]  # another error names it
]


def each_of(table: list[tuple[str, str, list[Any]]]) -> list[tuple[str, str, Any]]:
    """Return each value of a table with its place."""
    return [(target, key, value) for target, key, values in table for value in values]


@pytest.mark.parametrize(("target", "key", "value"), each_of(WRONG))
def test_value_that_cannot_be_meant_is_one_line(target: str, key: str, value: Any) -> None:
    (said,) = wrong_values({"_target_": target, key: value}, "group")
    assert said.startswith((f"group.{key}: ", f"group.{key}["))
    assert said.endswith(".")


@pytest.mark.parametrize(("target", "key", "value"), each_of(RIGHT))
def test_value_that_may_be_meant_is_let_through(target: str, key: str, value: Any) -> None:
    assert [*wrong_values({"_target_": target, key: value}, "group")] == []


def test_arguments_of_nested_targets_are_looked_at() -> None:
    """In lists, too, and inside classes of the user's own."""
    inner = {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": -1}
    settings = {"_target_": "own.Loss", "parts": [{"loss": inner}]}
    (said,) = wrong_values(settings, "criterion")
    assert said.startswith("criterion.parts[0].loss.label_smoothing: -1 is below 0")


def test_schedule_of_no_iterations_is_over_only_in_a_sequence() -> None:
    """A warm-up of a sweep may have none: the sequence begins with the schedule after it."""
    none = LINEAR | {"total_iters": 0}
    sequence = IN_TURN | {"schedulers": [none, COSINE], "milestones": [0]}
    assert [*wrong_values(sequence, "scheduler")] == []
    chained = {"_target_": f"{SCHEDULES}.ChainedScheduler", "schedulers": [none, COSINE]}
    (said,) = wrong_values(chained, "scheduler")
    assert "schedulers[0].total_iters: with 0, LinearLR never reaches the full rate" in said


def test_milestones_of_a_sequence_increase() -> None:
    """PyTorch would look them up as if they did."""
    sequence = IN_TURN | {"schedulers": [LINEAR, COSINE, LINEAR]}
    assert [*wrong_values(sequence | {"milestones": [2, 2]}, "scheduler")] == []
    (said,) = wrong_values(sequence | {"milestones": [3, 1]}, "scheduler")
    assert said == "scheduler.milestones: [3, 1] does not increase. Sort it."
    (said,) = wrong_values(sequence | {"milestones": [3, "x"]}, "scheduler")
    assert said.endswith("'x' is not a number. Correct it.")
