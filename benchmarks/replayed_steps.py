"""Measures what a step of the trainer costs on a GPU, computed and replayed, beside loops written by hand.

``python benchmarks/replayed_steps.py`` prints a table; with ``cpu`` as its argument, that of computed steps only.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

# This script's own folder would hide the package of the same name.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]

import torch
from omegaconf import OmegaConf
from torch import nn

from trainer.data.digits import Digits
from trainer.models.cnn10 import Cnn10
from trainer.models.mlp import Mlp
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 64
STEPS = 500  # per iteration
ITERATIONS = 7  # of which the first two are not counted
MODELS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "mlp": (Mlp, {"input_shape": [1, 8, 8], "classes": 10, "hidden": 128}),
    "cnn10": (Cnn10, {"input_shape": [1, 8, 8], "classes": 10, "width": 0.125}),
}


def by_trainer(name: str, device: str, cuda_graph: str) -> float:
    """Return the seconds of a step of the trainer."""
    kind, arguments = MODELS[name]
    config = {
        "seed": 0,
        "iterations": ITERATIONS,
        "training_type": "step",
        "eval_every": STEPS,
        "batch_size": BATCH,
        "device": device,
        "cuda_graph": cuda_graph,
        "data": {"_target_": "trainer.data.digits.Digits", "validation": 1},
        "dataloader": {"drop_last": True},
        "model": {"_target_": f"{kind.__module__}.{kind.__name__}", **arguments},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.03, "momentum": 0.9},
        "criterion": {"_target_": "torch.nn.CrossEntropyLoss"},
        "checkpoint": {"every": ITERATIONS},
    }
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            ModularTaskTrainer(OmegaConf.create(config), Path(folder)).train()
        if "not captured" in said.getvalue():
            sys.exit(said.getvalue())
        points = map(json.loads, (Path(folder) / "metrics.jsonl").read_text().splitlines())
        times = [each["timestamp"] for each in points if each["key"] == "train/loss"]
    gaps = [after - before for before, after in pairwise(times[1:])]
    return statistics.median(gaps) / 1000 / STEPS


def by_hand(name: str, device: str, *, is_graph: bool) -> float:
    """Return the seconds of a step of a loop, which computes or replays it."""
    kind, arguments = MODELS[name]
    images, labels = (each.to(device) for each in Digits(validation=1).train.tensors)
    model, criterion = kind(**arguments).to(device), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.03, momentum=0.9)
    inputs, targets = images[:BATCH].clone(), labels[:BATCH].clone()

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(inputs), targets).backward()
        optimizer.step()

    take: Callable[[], None] = step
    if is_graph:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        optimizer.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        take = graph.replay
    laps = []
    for _ in range(ITERATIONS):
        order = torch.randperm(len(labels), device=device)
        places = [order[at : at + BATCH] for at in range(0, len(labels) - BATCH, BATCH)]
        begun = time.perf_counter()
        for number in range(STEPS):
            where = places[number % len(places)]
            inputs.copy_(images[where])
            targets.copy_(labels[where])
            take()
        if device != "cpu":
            torch.cuda.synchronize()
        laps.append((time.perf_counter() - begun) / STEPS)
    return statistics.median(laps[2:])


def main() -> None:
    """Print the table."""
    device = sys.argv[1] if sys.argv[1:] else "cuda"
    torch.set_num_threads(1)  # as the trainer does
    print(f"microseconds per step, batches of {BATCH}, on {device}, PyTorch {torch.__version__}")
    for name in MODELS:
        found = {
            "computed by hand": by_hand(name, device, is_graph=False),
            "computed by the trainer": by_trainer(name, device, "off"),
        }
        if device != "cpu":
            found["a graph by hand"] = by_hand(name, device, is_graph=True)
            found["replayed by the trainer"] = by_trainer(name, device, "auto")
        for what, seconds in found.items():
            print(f"{name:6}  {what:24}{seconds * 1e6:8.1f}")


if __name__ == "__main__":
    main()
