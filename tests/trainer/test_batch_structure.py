"""Samples and targets may be of any structure that model and criterion agree on."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from run_files import MakeRun, Train, results_of
from structures import Encoding, Fields, Graph, Pair
from thinning import combined
from torch.nn.utils.rnn import pack_sequence
from user_modules import Interrupted, sabotage

from trainer.batch_structure import bring, count_samples
from trainer.errors import ConfigError

CROSS = {"_target_": "torch.nn.CrossEntropyLoss"}
SUM = {"_target_": "structures.Sum"}


def collated(function: str) -> dict[str, Any]:
    """Return the configuration of tensors that are collated in a way."""
    collate = {"_target_": f"structures.{function}", "_partial_": True}
    return {"data": {"_target_": "structures.Plain"}, "dataloader": {"collate_fn": collate}}


def shaped(structure: str) -> dict[str, Any]:
    """Return the configuration of samples of a structure."""
    return {"data": {"_target_": "structures.Data", "structure": structure}}


STRUCTURES: dict[str, tuple[dict[str, Any], str, dict[str, Any] | None, bool]] = {
    "three tensors": ({"data": {"_target_": "structures.ThreeTensors"}}, "TwoInputs", CROSS, True),
    "three parts": (shaped("three"), "TwoInputs", CROSS, True),
    "names, a criterion": (shaped("dictionary"), "Hugging", CROSS, True),
    "names, no criterion": (shaped("dictionary"), "Hugging", None, False),
    "encoding": (collated("as_encoding"), "Hugging", None, False),
    "named tuple": (shaped("named"), "Net", CROSS, True),
    "two targets": (shaped("two targets"), "Net", SUM, False),
    "targets by name": (shaped("targets by name"), "Net", SUM, False),
    "graphs": (collated("as_graph"), "OfGraphs", CROSS, True),
    "packed": (collated("as_packed"), "Recurrent", CROSS, True),
    "texts": (shaped("texts"), "Net", {"_target_": "structures.LogitsLast"}, True),
}


@pytest.mark.parametrize(("name", "accumulate"), combined(name=STRUCTURES, accumulate=(1, 2)))
def test_structure_trains_validates_and_goes_on(
    make_run: MakeRun, train: Train, tmp_path: Any, name: str, accumulate: int
) -> None:
    """To the same bits after an interruption, and the accuracy is there where it means something."""
    loading, model, criterion, has_accuracy = STRUCTURES[name]
    changes = {
        "model": {"_target_": f"structures.{model}"},
        "criterion": criterion,
        "accumulate": accumulate,
        "iterations": 3,
        "checkpoint": {"metric": "validation/loss", "mode": "min"},
        **loading,
    }
    whole = make_run("whole", **changes)
    results = train(whole)
    assert ("test/accuracy" in results) is has_accuracy
    broken = make_run("broken", curriculum=sabotage(tmp_path, "step_end", 3, "raise"), **changes)
    with pytest.raises(Interrupted):
        train(broken)
    train(broken)
    assert results_of(broken)["digest"] == results_of(whole)["digest"]


ONE = torch.ones(2, 6)
LABELS = torch.zeros(2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ((torch.zeros(3, 2), torch.zeros(3)), 3),
        ((torch.zeros(8, 2), torch.zeros(4), torch.zeros(4)), 4),
        ((torch.zeros(3, 2), {"name": ["a", "b", "c"], "class": torch.zeros(3)}), 3),
        (([torch.zeros(1, 5, 5)] * 4, [{"boxes": torch.zeros(7, 4)}] * 4), 4),
        ({"mask": torch.zeros(9, 1), "labels": torch.zeros(3)}, 3),
        ({"mask": torch.zeros(9, 1)}, 9),
        (Graph(torch.zeros(9, 1), torch.zeros(2)), 2),
        ((pack_sequence([torch.zeros(3), torch.zeros(2)]), torch.tensor(0.0)), 2),
        ((np.zeros((5, 2)), [1, 2]), 5),
        (Pair(torch.zeros(4, 2), torch.zeros(4)), 4),
    ],
)
def test_batch_is_counted_by_its_first_tensor(batch: Any, count: int) -> None:
    """That of the targets before others."""
    assert count_samples(batch) == count


def test_batch_without_anything_to_count_is_refused() -> None:
    """In one line."""
    with pytest.raises(ConfigError, match="no tensor by which to count"):
        count_samples((torch.tensor(1.0), "a"))


def test_everything_that_can_is_brought_to_the_device() -> None:
    """Tensors, what has a `to`, and what is made of such; the rest stays as it is."""
    meta, one = torch.device("meta"), torch.zeros(2)
    ordered = OrderedDict(a=one)
    found = bring([one, ordered, Fields(one, 1), Graph(one, one), Encoding(a=one), "text"], meta)
    assert found[0].device == meta
    assert type(found[1]) is OrderedDict
    assert found[1]["a"].device == meta
    assert ordered["a"].device.type == "cpu"
    assert (type(found[2]), found[2].a.device, found[2].b) == (Fields, meta, 1)
    assert found[3].y.device == meta
    assert found[4]["a"].device == meta
    assert found[5] == "text"
    packed = bring((pack_sequence([one, one]), one), meta)
    assert packed[0].data.device == meta


class Watched(torch.Tensor):
    """A tensor that knows how it was copied."""

    how: tuple[Any, ...] = ()

    def to(self, *where: Any, **how: Any) -> Any:
        """Note the copy."""
        self.how = (*where, how)
        return self


def test_copies_are_not_waited_for() -> None:
    """In a batch of any structure, in the order of its parts."""
    batch = [torch.zeros(2).as_subclass(Watched), {"y": torch.zeros(2).as_subclass(Watched)}]
    inputs, targets = bring(batch, torch.device("meta"))
    for copied in (inputs, targets["y"]):
        assert copied.how == (torch.device("meta"), {"non_blocking": True})
