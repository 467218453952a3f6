"""What is drawn for a batch depends on seed, epoch and batch, in any process and from any generator."""

from typing import Any

import pytest
import torch
from random_data import WAYS, mixup
from torch.utils.data import Dataset, Subset, TensorDataset
from user_modules import NoisySamples, labelled

from trainer.loading.seeded_batches import SeededBatches, are_plain_tensors

PLACES = [(0, 0, [3, 1, 4]), (0, 1, [1, 5, 9]), (1, 0, [3, 1, 4])]


def made(samples: Any, places: Any, collate: Any = None) -> list[torch.Tensor]:
    """Make batches with a new object, as another process would, and return their inputs."""
    batches = SeededBatches(samples, seed=5)
    batches.collate = collate or batches.collate
    return [batches.__getitems__(place)[0] for place in places]


@pytest.mark.parametrize("way", WAYS)
def test_generators_of_a_data_set_are_seeded_for_each_batch(way: str) -> None:
    """Wherever they are kept, and whatever was drawn before."""
    samples = WAYS[way]()
    whole = made(samples, PLACES)
    assert not torch.equal(whole[0], whole[2])
    samples[0]
    assert torch.equal(made(samples, PLACES[2:])[0], whole[2])
    assert torch.equal(made(WAYS[way](), PLACES[1:])[0], whole[1])


def test_generators_of_a_data_set_are_put_back() -> None:
    """A callback that draws from one finds it as if no sample had been made."""
    samples = WAYS["NumPy's"]()
    state = samples.noise.__self__.bit_generator.state
    made(samples, PLACES)
    assert samples.noise.__self__.bit_generator.state == state


def test_collating_is_seeded_too() -> None:
    """Mixing samples in `collate_fn` depends on the place alone."""
    samples = NoisySamples(labelled(0))
    whole = made(samples, PLACES, mixup)
    assert torch.equal(made(samples, PLACES[1:], mixup)[0], whole[1])
    assert not torch.equal(whole[0], whole[2])


class Store(Dataset[Any]):
    """Give many samples at once."""

    asked = 0

    def __len__(self) -> int:
        """Count the samples."""
        return 44

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Give them."""
        self.asked += 1
        return [(torch.rand(2) + index, index) for index in indices]


def test_data_set_is_asked_for_a_whole_batch_if_it_can_give_one() -> None:
    """Once for each batch, as a `DataLoader` does it; also behind a subset."""
    store = Store()
    assert made(store, PLACES)[0].shape == (3, 2)
    assert store.asked == 3
    made(Subset(store, range(10)), PLACES)  # type: ignore[arg-type]
    assert store.asked == 6


def test_tensors_need_no_seeds_of_their_own() -> None:
    """What cannot be random costs nothing."""
    assert are_plain_tensors(labelled(0))
    assert not are_plain_tensors(NoisySamples(labelled(0)))
    assert not are_plain_tensors(Subset(TensorDataset(torch.zeros(3)), [0]))
