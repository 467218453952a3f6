"""What is drawn for a batch depends on seed, epoch and batch, in any process and from any generator."""

import random
from typing import Any

import numpy as np
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


class Rows(Dataset[Any]):
    """Rows of a tensor, by plain code."""

    def __init__(self) -> None:
        self.rows = torch.arange(12.0)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return a row."""
        return self.rows[index], 0


def state_after(batches: SeededBatches) -> tuple[list[list[float]], Any, list[float]]:
    """Return some batches, and what the generators give after them."""
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the generator that augmentations use
    np.random.normal()  # noqa: NPY002 - it keeps the second of a pair
    found = [batches.__getitems__(place)[0].tolist() for place in PLACES]
    drawn = [torch.rand(1).item(), random.random(), np.random.normal()]  # noqa: NPY002, S311 - as above
    return found, torch.get_num_threads(), drawn


def test_plain_samples_are_made_as_if_they_were_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeding is left out where nothing is drawn, and the training draws the same after it."""
    seeded = SeededBatches(Rows(), seed=5)
    plain = SeededBatches(Rows(), seed=5, may_be_plain=True)
    assert state_after(plain) == state_after(seeded)
    monkeypatch.setattr(random, "seed", None)
    assert plain.__getitems__(PLACES[0])[0].tolist() == [3.0, 1.0, 4.0]


def test_samples_that_are_not_plain_are_seeded_all_the_same() -> None:
    samples = WAYS["NumPy's"]()
    plain = SeededBatches(samples, seed=5, may_be_plain=True)
    assert torch.equal(plain.__getitems__(PLACES[1])[0], made(samples, PLACES[1:2])[0])
