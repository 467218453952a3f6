"""Before the first batch, what the samples are is known, and whether they can be made again."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from random_data import (
    WAYS,
    Cached,
    Drawing,
    Memory,
    Samples,
    Wrapped,
    from_the_system,
)
from thinning import combined
from torch.utils.data import Dataset, Subset, TensorDataset
from user_modules import NoisySamples, labelled

from trainer.errors import ConfigError
from trainer.loading import sample_checks
from trainer.loading.loaders import make_loader
from trainer.loading.sample_checks import examine
from trainer.settings import read_settings


def described(samples: Any, *, is_strict: bool = True, **dataloader: Any) -> str:
    """Examine a training set, and return its description."""
    config = {"seed": 1, "iterations": 1, "batch_size": 8, "dataloader": dataloader}
    loader = make_loader(samples, "train", read_settings(config))
    return examine({"train": loader}, is_strict=is_strict)["data.train"]


class Opening(NoisySamples):
    """Do something random when the first sample is asked for, and only then."""

    is_open = False

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        if not self.is_open:
            self.is_open, _ = True, np.random.rand()  # noqa: NPY002 - as users do
        return self.samples[index]


class Thing:
    """Be a part of a sample that shows no contents of its own."""


class Structured(Dataset[Any]):
    """Offer samples of everything."""

    def __len__(self) -> int:
        """Count the samples."""
        return 20

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        return {"a": (torch.rand(3), [np.random.rand(2)]), "b": Thing(), "c": {index, "x"}}  # noqa: NPY002


FINE: dict[str, Callable[[], Any]] = {
    "noisy": lambda: NoisySamples(labelled(0)),
    "kept": lambda: Memory(labelled(0)),
    "opened": lambda: Opening(labelled(0)),
    "a part": lambda: Subset(NoisySamples(labelled(0)), range(9)),
    "one": lambda: Subset(Opening(labelled(0)), [3]),
    **WAYS,
}


@pytest.mark.parametrize(("name", "workers"), combined(name=FINE, workers=(0, 2)))
def test_samples_that_can_be_made_again_are_fine(name: str, workers: int) -> None:
    """There is no false alarm, and what they are is the same each time."""
    found = [described(FINE[name](), num_workers=workers) for _ in range(2)]
    assert found[0] == found[1]
    assert " samples, " in found[0]


def test_samples_may_be_of_anything() -> None:
    """What shows nothing of its contents is not looked at."""
    assert described(Structured(), collate_fn={"_target_": "builtins.list", "_partial_": True})


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            Wrapped(Samples(labelled(0), from_the_system)),
            r"^data.train.inner\[0\]: random_data.Samples returns other samples each time",
        ),
        (
            Cached(labelled(0)),
            "^data.train: random_data.Cached returns other samples in a new process",
        ),
        (
            Wrapped(Cached(labelled(0))),
            "^data.train: random_data.Wrapped returns other samples in a new process",
        ),
        (Drawing(labelled(0)), "^data.train: random_data.Drawing returns other samples in a new"),
        (
            Samples(labelled(0), os.getpid),
            "^data.train: random_data.Samples returns other samples in",
        ),
        (
            Subset(Cached(labelled(0)), range(8)),
            "other samples in a new process, .* as with a cache of random samples",
        ),
    ],
)
def test_samples_that_cannot_be_made_again_are_refused(samples: Any, message: str) -> None:
    """In one line that names what it is."""
    with pytest.raises(ConfigError, match=message) as caught:
        described(samples)
    assert "\n" not in str(caught.value)


def test_samples_that_cannot_be_made_again_are_said_where_bits_do_not_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With `deterministic: false`."""
    assert described(Samples(labelled(0), from_the_system), is_strict=False) == "44 samples, "
    assert "random_data.Samples returns other samples each time" in capsys.readouterr().out


def test_data_set_is_left_as_it_was() -> None:
    """Neither what it counts nor what it keeps has changed, and nothing was drawn."""
    samples, state = Memory(labelled(0)), torch.get_rng_state()
    described(samples)
    assert (samples.counted, samples.kept) == (0, {})
    assert torch.equal(torch.get_rng_state(), state)


def test_tensors_are_looked_at_without_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of them is made, and a fork costs a small training a tenth."""
    monkeypatch.setattr(sample_checks, "found_without_trace", None)
    assert described(labelled(0)).startswith("44 samples, ")


def test_error_of_a_data_set_is_left_to_the_training() -> None:
    """It will say where; here there is only no digest."""
    samples = Samples(labelled(0), lambda: 1 / 0)
    assert described(samples) == "44 samples"


def test_description_tells_apart_what_is_different() -> None:
    """Tensors, samples that are made, ways to collate, and how many there are."""
    tensors = labelled(0).tensors
    other = TensorDataset(tensors[0].clone(), tensors[1])
    other.tensors[0][40, 3] += 1e-6
    large = TensorDataset(torch.zeros(5, 4_000_000), torch.zeros(5))
    changed = TensorDataset(large.tensors[0].clone(), torch.zeros(5))
    changed.tensors[0][4, 7] = 1
    collate = {"_target_": "random_data.mixup", "_partial_": True}
    found = [
        described(labelled(0)),
        described(other),
        described(NoisySamples(labelled(0))),
        described(NoisySamples(labelled(1))),
        described(NoisySamples(labelled(1)), collate_fn=collate),
        described(Subset(NoisySamples(labelled(0)), range(20))),
        described(large),
        described(changed),
    ]
    assert len({*found}) == len(found)
    assert described(labelled(0)) == found[0]
