"""Keys of `dataloader` do what they say, or are refused in one line."""

import os
from itertools import chain
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from trainer.errors import ConfigError
from trainer.loading.loaded_batches import LoadedBatches
from trainer.loading.loaders import make_loader
from trainer.settings import TrainingSettings, read_settings

TARGET = "torch.utils.data.WeightedRandomSampler"


def settings(**dataloader: Any) -> TrainingSettings:
    """Make settings with batches of 8."""
    config = {"seed": 1, "iterations": 1, "batch_size": 8, "dataloader": dataloader}
    return read_settings(config)


class Numbered(TensorDataset):
    """Have samples that are their own numbers, made one by one."""

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        """Make a sample."""
        return super().__getitem__(index)


def numbered(kind: type[TensorDataset] = Numbered) -> TensorDataset:
    """Make samples that are their own numbers."""
    return kind(torch.arange(20)[:, None], torch.zeros(20))


def indices_of(samples: Any, part: str = "train", **dataloader: Any) -> list[list[int]]:
    """Return the numbers of the samples in each batch."""
    loader = make_loader(samples, part, settings(**dataloader))
    return [batch[0].flatten().tolist() for batch in loader]


KINDS = pytest.mark.parametrize("kind", [TensorDataset, Numbered])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 4}, "^dataloader.batch_size: the trainer sets this option. Set batch_size"),
        (
            {"batch_sampler": {"_target_": "torch.utils.data.BatchSampler", "drop_last": True}},
            "'sampler'",
        ),
        ({"batch_sampler": {"_target_": "samplers.ByTarget"}}, "yields 19, not a list of indices"),
        ({"dataset": None}, "^dataloader.dataset: the trainer sets this option"),
        ({"generator": {"_target_": "torch.Generator"}}, "^dataloader.generator: the trainer"),
        ({"in_order": False}, "^dataloader.in_order: with false"),
        ({"shuffle": "no"}, "^dataloader.shuffle: 'no' is neither true nor false"),
        ({"sampler": "weighted"}, "^dataloader.sampler: 'weighted' does not name a sampler"),
        ({"sampler": {"weights": [1]}}, "^dataloader.sampler: .* does not name a sampler"),
        ({"sampler": {"_target_": TARGET}}, "^dataloader.sampler: .*: missing a required argument"),
        ({"sampler": {"_target_": "builtins.int"}}, "returns a int, which cannot be iterated over"),
        ({"sampler": {"_target_": "torch.Samplers"}}, "does not have 'Samplers'"),
        ({"sampler": {"_target_": TARGET}, "shuffle": True}, "^dataloader.shuffle: the sampler"),
        ({"evaluation_batch_size": 0}, "^dataloader.evaluation_batch_size: 0 is not a whole"),
        ({"evaluation_batch_size": "8"}, "^dataloader.evaluation_batch_size: '8' is not"),
        ({"workers": 1}, "^dataloader: .*'workers'"),
        ({"num_workers": -1}, "^dataloader.num_workers: -1 is not"),
        ({"prefetch_factor": 2}, "^dataloader: prefetch_factor"),
        ({"persistent_workers": True}, "^dataloader: persistent_workers"),
        ({"timeout": -1}, "^dataloader: timeout"),
    ],
)
@KINDS
def test_key_without_effect_or_with_a_wrong_value_is_refused(
    kind: type[TensorDataset], options: dict[str, Any], message: str
) -> None:
    """In one line that says what to do instead, for tensors as for other data sets."""
    with pytest.raises(ConfigError, match=message) as caught:
        make_loader(numbered(kind), "train", settings(**options))
    assert "\n" not in str(caught.value)


@KINDS
def test_training_set_keeps_its_order_if_asked_to(kind: type[TensorDataset]) -> None:
    """And is shuffled if not, whether that is said or not."""
    kept = indices_of(numbered(kind), shuffle=False)
    assert kept == [[*range(8)], [*range(8, 16)], [*range(16, 20)]]
    assert indices_of(numbered(kind)) == indices_of(numbered(kind), shuffle=True) != kept


@KINDS
def test_evaluation_takes_batches_of_the_trainings_size_or_of_its_own(
    kind: type[TensorDataset],
) -> None:
    """A loss that compares the samples of a batch means the same then."""
    sizes = [len(batch) for batch in indices_of(numbered(kind), "validation")]
    assert sizes == [8, 8, 4]
    own = {"evaluation_batch_size": 15}
    assert [len(batch) for batch in indices_of(numbered(kind), "test", **own)] == [15, 5]
    assert len(indices_of(numbered(kind), "train", **own)[0]) == 8


@KINDS
@pytest.mark.parametrize("workers", [0, 2])
def test_sampler_decides_what_the_training_takes(kind: type[TensorDataset], workers: int) -> None:
    """It is handed the training set if it asks for it, and the others keep their order."""
    sampler = {"_target_": "samplers.ByTarget", "start": 3}
    loading = {"sampler": sampler, "num_workers": workers}
    taken = indices_of(numbered(kind), **loading)
    assert taken == [[*range(19, 11, -1)], [*range(11, 3, -1)], [3]]
    assert indices_of(numbered(kind), "test", **loading)[0] == [*range(8)]


@KINDS
@pytest.mark.parametrize("workers", [0, 2])
def test_batch_sampler_decides_the_batches_of_the_training(
    kind: type[TensorDataset], workers: int
) -> None:
    """It is handed the training set and the size of batches; validation and test do without."""
    loading = {"batch_sampler": {"_target_": "samplers.ByLength"}, "num_workers": workers}
    taken = indices_of(numbered(kind), **loading)
    assert sorted(chain.from_iterable(taken)) == [*range(20)]
    assert max(sum(1 + index % 7 for index in batch) for batch in taken) <= 4 * 8
    assert indices_of(numbered(kind), "test", **loading)[0] == [*range(8)]


def test_weighted_sampler_prefers_what_weighs_more() -> None:
    """PyTorch's, with its own arguments, in the same order each time it is built."""
    sampler = {"_target_": TARGET, "weights": [0.0] * 10 + [1.0] * 10, "num_samples": 24}
    taken = indices_of(numbered(), sampler=sampler)
    assert [len(batch) for batch in taken] == [8, 8, 8]
    assert min(map(min, taken)) == 10
    assert indices_of(numbered(TensorDataset), sampler=sampler) == taken


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_know_whose_children_they_are(method: str) -> None:
    """They end with their parent, which may be a fork server; that ends with the trainer."""
    options = {"num_workers": 1, "multiprocessing_context": method}
    loader = make_loader(numbered(), "train", settings(**options))
    assert isinstance(loader, LoadedBatches)
    heed: Any = loader.loader.worker_init_fn
    assert heed.is_forked == (method != "forkserver")
    assert heed.trainer == os.getpid()
