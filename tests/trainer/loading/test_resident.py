"""Small tensors live where they are used; other data come through pinned memory."""

from collections.abc import Sequence

import pytest
import torch
from user_modules import labelled

from trainer.loading.loaded_batches import TensorBatches
from trainer.loading.loaders import pinned
from trainer.loading.order import EpochOrder
from trainer.loading.resident import brought_if_small, free_on

CPU, META, CUDA = map(torch.device, ("cpu", "meta", "cuda:0"))
SIZE = 400


@pytest.mark.parametrize(
    ("device", "free", "place"),
    [
        (META, 10 * SIZE, "meta"),
        (META, 10 * SIZE - 1, "cpu"),
        (META, 0, "cpu"),
        (CPU, 1000 * SIZE, "cpu"),
    ],
)
def test_tensors_are_brought_if_they_take_a_tenth_of_what_is_free(
    device: torch.device, free: int, place: str
) -> None:
    """All of them, or none."""
    tensors = [torch.zeros(50), torch.zeros(25, dtype=torch.int64)]
    found = brought_if_small(tensors, device, lambda _device: free)
    assert [each.device.type for each in found] == [place, place]


def test_only_a_gpu_has_memory_to_live_in() -> None:
    """So everything else keeps the tensors where they are."""
    assert free_on(CPU) == free_on(META) == 0


def test_batches_are_cut_where_the_tensors_live() -> None:
    """They are brought once, at the first pass."""
    brought = []

    def bring(tensors: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
        brought.append(device)
        return [each.to(device) for each in tensors]

    batches = TensorBatches(labelled(0), EpochOrder(labelled(0), 8, 1), META, bring)
    for _ in range(2):
        found = [*batches]
        assert [len(inputs) for inputs, _ in found] == [8, 8, 8, 8, 8, 4]
        assert {each.device for batch in found for each in batch} == {META}
    assert brought == [META]


def test_batches_of_tensors_without_room_are_the_same() -> None:
    """Where they live changes no bits."""
    there = TensorBatches(labelled(0), EpochOrder(labelled(0), 8, 1), META)
    here = TensorBatches(labelled(0), EpochOrder(labelled(0), 8, 1))
    for one, other in zip(there, here, strict=True):
        assert all(map(torch.equal, one, other))


def test_memory_is_pinned_for_a_gpu_unless_a_key_says_otherwise() -> None:
    """And a loader of the user's own decides it itself."""
    assert pinned({"num_workers": 2}, CUDA) == {"num_workers": 2, "pin_memory": True}
    own = {"_target_": "odd_modules.CountingLoader", "num_workers": 2}
    for options in ({"pin_memory": False, "num_workers": 2}, own, {}, {"num_workers": 0}):
        assert pinned(options, CUDA) == options
    assert pinned({"num_workers": 2}, CPU) == {"num_workers": 2}
