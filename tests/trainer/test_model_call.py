"""A batch is split between model and criterion, and one that does not fit is refused in one line."""

from typing import Any

import pytest
import torch
from run_files import MakeRun, Start
from structures import Hugging, Net, Output, TwoInputs
from torch import nn
from user_modules import run_program

from trainer.errors import ConfigError
from trainer.model_call import ModelCall

ONE = torch.ones(2, 6)


LABELS = torch.zeros(2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("model", "criterion", "batch", "message"),
    [
        (Net(), nn.CrossEntropyLoss(), ONE, "^data: a batch is a Tensor, without a target"),
        (Net(), nn.CrossEntropyLoss(), [ONE], "^data: a batch is a list of 1, without a target"),
        (Net(), nn.CrossEntropyLoss(), {"x": ONE}, "^data: a batch has the keys x, and no target"),
        (
            Hugging(),
            nn.CrossEntropyLoss(),
            {"input_ids": ONE, "label": LABELS, "labels": LABELS},
            "labels and label, of which only one can be the target",
        ),
        (
            Net(),
            nn.CrossEntropyLoss(),
            {"input_ids": ONE, "labels": LABELS},
            r"^model: Net.forward takes \(samples\), but a batch has input_ids: ",
        ),
        (
            Net(),
            nn.CrossEntropyLoss(),
            (ONE, ONE, LABELS),
            r"^model: Net.forward takes \(samples\), but a batch has 2 inputs: too many",
        ),
        (Net(), None, (ONE, LABELS), "^criterion._target_: missing. Choose one of conf/criterion/"),
        (
            Hugging(),
            None,
            {"input_ids": ONE, "attention_mask": ONE},
            "^criterion._target_: missing, and the output of the model, a Output, does not have a loss",
        ),
        (Net(), nn.CrossEntropyLoss(), object(), "^data: a batch has the type object, and no tar"),
    ],
)
def test_structure_that_cannot_be_understood_is_refused(
    model: nn.Module, criterion: Any, batch: Any, message: str
) -> None:
    """In one line that says what to do."""
    with pytest.raises(ConfigError, match=message) as caught:
        ModelCall(model, criterion)(batch)
    assert "\n" not in str(caught.value)


def test_criterion_that_is_missing_is_one_line(make_run: MakeRun, start: Start) -> None:
    """Where samples are pairs, nobody else computes the loss."""
    run_dir = make_run(criterion={"name": "none"})
    assert start(run_program, str(run_dir)) == 2
    said = (run_dir / "err.log").read_text()
    assert said.startswith("criterion._target_: missing.")
    assert said.count("\n") == 1


def test_criterion_of_a_users_own_gets_the_whole_output() -> None:
    """Only PyTorch's, which know no outputs but tensors, get the logits of one."""
    seen = []

    def criterion(outputs: Any, targets: Any) -> torch.Tensor:
        seen.append(outputs)
        return nn.functional.cross_entropy(outputs.logits, targets)

    batch = {"input_ids": ONE, "attention_mask": ONE, "labels": LABELS}
    ModelCall(Hugging(), criterion)(batch)
    assert isinstance(seen[0], Output)
    assert seen[0].loss is None  # nobody computes it twice


def test_model_is_checked_once() -> None:
    """The check is not paid for at each batch."""
    call = ModelCall(TwoInputs(), nn.CrossEntropyLoss())
    for _ in range(2):
        loss, outputs, targets = call((ONE[:, :3], ONE[:, 3:], LABELS))
    assert (loss.dim(), outputs.shape, targets is LABELS) == (0, (2, 2), True)


class Normed(nn.Module):
    """A model whose norm computes the variance of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(6), nn.Linear(6, 2)

    def forward(self, samples: torch.Tensor) -> Any:
        """Classify."""
        return self.layer(self.norm(samples))


def test_norm_within_a_sample_keeps_the_error_of_the_model() -> None:
    """The batch has several; what the norm gets is the model's."""

    class Bags(Normed):
        def forward(self, samples: torch.Tensor) -> Any:
            return torch.cat([super(Bags, self).forward(each[None]) for each in samples])

    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        ModelCall(Bags(), nn.CrossEntropyLoss())((ONE.expand(2, 6), LABELS.expand(2)))


def test_last_batch_of_one_sample_is_explained() -> None:
    """PyTorch's error does not say where the batch came from."""
    call = ModelCall(Normed(), nn.CrossEntropyLoss())
    with pytest.raises(
        ConfigError, match=r"^data: a batch has one sample, .*drop_last: true"
    ) as it:
        call((ONE[:1], LABELS[:1]))
    assert "\n" not in str(it.value)
    call.model.eval()
    call((ONE[:1], LABELS[:1]))
