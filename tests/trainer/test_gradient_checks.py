"""What the loss depends on is trained, or refused at the first step, whatever holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from run_files import checkpoints_of

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from run_files import MakeRun, Train


@pytest.mark.parametrize(
    ("how", "where"), [("tensor", "criterion.held"), ("network", r"criterion.held\[0\]")]
)
def test_tensor_of_a_criterion_that_nobody_trains_is_refused(
    make_run: MakeRun, train: Train, how: str, where: str
) -> None:
    """In one line that says where it is."""
    run_dir = make_run(criterion={"_target_": "grouped_modules.Shifting", "how": how})
    with pytest.raises(ConfigError, match=f"^{where}.*: the loss has a gradient for") as caught:
        train(run_dir)
    assert "\n" not in str(caught.value)
    assert checkpoints_of(run_dir) == []


@pytest.mark.parametrize("how", ["frozen", "trained"])
def test_tensor_that_is_frozen_or_has_an_optimizer_is_fine(
    make_run: MakeRun, train: Train, how: str
) -> None:
    """There is no false alarm."""
    train(make_run(criterion={"_target_": "grouped_modules.Shifting", "how": how}, iterations=1))


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("list", r"model.parts\[0\].weight"),
        ("dictionary", r"model.parts\['a'\].weight"),
        ("tensor", "model.parts"),
        ("inner list", r"model.inner.parts\[1\]"),
    ],
)
def test_part_of_a_model_that_pytorch_does_not_find_is_refused(
    make_run: MakeRun, train: Train, how: str, where: str
) -> None:
    """It would never be trained, nor saved."""
    run_dir = make_run(model={"_target_": "grouped_modules.Hiding", "how": how})
    with pytest.raises(ConfigError, match=rf"^{where}: the loss has a gradient for .*ModuleList"):
        train(run_dir)
    assert checkpoints_of(run_dir) == []


@pytest.mark.parametrize("how", ["frozen", "without gradient", "trained"])
def test_hidden_part_that_is_not_to_be_trained_by_the_optimizer_is_fine(
    make_run: MakeRun, train: Train, how: str
) -> None:
    train(make_run(model={"_target_": "grouped_modules.Hiding", "how": how}, iterations=1))
