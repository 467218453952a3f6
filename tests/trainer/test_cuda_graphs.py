"""Graphs on a GPU; what is recorded and when is tested without one, beside `captured_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of

from trainer.cuda_graphs import CudaGraphs, graphs_of

if TYPE_CHECKING:
    from run_files import MakeRun, Train

MODELS: dict[str, dict[str, Any]] = {
    "dropout and batch norm": {"model": {"_target_": "replayed_modules.Noisy"}},
    "accumulated and clipped": {"accumulate": 2, "clip_norm": 0.1},
    "adam": {"optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01}},
    "adam on the gpu": {
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01, "capturable": True}
    },
    "bfloat16": {"precision": "bfloat16"},
    "rate per step": {
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.OneCycleLR",
            "max_lr": 0.1,
            "interval": "step",
        }
    },
}


def test_cpu_records_nothing() -> None:
    """Only a GPU does."""
    assert graphs_of(torch.device("cpu")) is None
    assert isinstance(graphs_of(torch.device("cuda", 0)), CudaGraphs)


@pytest.mark.gpu
@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
def test_replayed_steps_give_the_bits_of_computed_ones_on_a_gpu(
    make_run: MakeRun, train: Train, capfd: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    """And none falls back."""
    found = []
    for cuda_graph in ("off", "auto"):
        run_dir = make_run(cuda_graph, cuda_graph=cuda_graph, device="cuda", **changes)
        train(run_dir)
        found.append((results_of(run_dir)["digest"], results_of(run_dir)["test"]))
    assert found[0] == found[1]
    assert "cuda_graph" not in capfd.readouterr().out


@pytest.mark.gpu
def test_random_numbers_go_on_after_a_recording_that_failed(
    make_run: MakeRun, train: Train, capfd: pytest.CaptureFixture[str]
) -> None:
    """With dropout, which draws from the generator that was registered with the graph."""
    digests = []
    for cuda_graph in ("off", "auto"):
        model = {"_target_": "replayed_modules.Waiting"}
        run_dir = make_run(cuda_graph, cuda_graph=cuda_graph, device="cuda", model=model)
        train(run_dir)
        digests.append(results_of(run_dir)["digest"])
    assert digests[0] == digests[1]
    assert "recording one failed" in capfd.readouterr().out
