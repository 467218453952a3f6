"""Batches are the same as those of a `DataLoader`, and workers live on while nothing changes."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset
from user_modules import NoisySamples, labelled

from trainer.loading.loaders import make_loader
from trainer.settings import TrainingSettings, read_settings


def settings(**dataloader: Any) -> TrainingSettings:
    """Make settings with batches of 8."""
    return read_settings({"seed": 1, "iterations": 1, "batch_size": 8, "dataloader": dataloader})


def test_samples_of_many_parts_are_cut_out_of_tensors_as_a_loader_gives_them() -> None:
    """Three tensors are three parts of a batch."""
    samples = TensorDataset(torch.arange(20), torch.arange(20) * 2, torch.arange(20) * 3)
    batch = next(iter(make_loader(samples, "test", settings())))
    theirs = next(iter(DataLoader(samples, batch_size=8)))
    assert all(torch.equal(*pair) for pair in zip(batch, theirs, strict=True))


def test_loading_costs_no_more_copies_of_workers_than_asked_for() -> None:
    """Workers that live on are the same processes in each pass, unless the data set is changed."""
    samples = NoisySamples(labelled(0))
    options = {"num_workers": 1, "persistent_workers": True}
    loader = make_loader(samples, "train", settings(**options), is_watched=True)
    pids = []
    for change in (None, "different", None):
        if change:
            samples.note = change  # type: ignore[attr-defined]
        for _ in loader:
            pass
        (worker,) = loader.loader._iterator._workers  # type: ignore[union-attr]
        pids.append(worker.pid)
    assert pids[0] != pids[1] == pids[2]
