"""Measures whole small trainings, beside loops by hand and beside Lightning and accelerate.

``python benchmarks/whole_trainings.py [ROUNDS]``: an MLP, a small CNN and a small transformer learn the
digits, in each way in turn; printed is the median of the ratios to the loop by hand that saves nothing,
by the processor time of the process and by the clock. Then the same for the MLP and a map-style data set,
with 0 and 2 loader workers, as ratios to the tutorial's loop. Then what a checkpoint of every iteration
costs where an iteration takes 60 ms. The peers are passed over where they cannot be imported.
``python benchmarks/whole_trainings.py ROUNDS loaders`` measures the map-style data set alone.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

# This script's own folder would hide the package of the same name.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from trainer.data.digits import Digits
from trainer.models.mlp import Mlp
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 64
EPOCHS = 5
ROUNDS = 5
PAIRS = 3  # per round, of trainings with and without checkpoints
TARGET = 0.06  # seconds, of an iteration
SAVED = "checkpoint.pt"


class Cnn(nn.Sequential):
    """Be a small network of two convolutions."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(32 * 16, 10)),
        )


class Transformer(nn.Module):
    """Be a small transformer that reads the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.embed, self.head = nn.Linear(8, 32), nn.Linear(32, 10)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Classify."""
        return self.head(self.encoder(self.embed(images.squeeze(1))).mean(1))


class Samples(Dataset[Any]):
    """Make samples one by one, as most data sets do."""

    def __init__(self, tensors: TensorDataset) -> None:
        self.images, self.labels = tensors.tensors

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a sample."""
        return self.images[index], self.labels[index]


class MapStyle:
    """The digits as a map-style data set."""

    def __init__(self) -> None:
        digits = Digits(validation=100)
        self.train, self.validation = Samples(digits.train), Samples(digits.validation)
        self.test = Samples(digits.test)


MODELS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "MLP": (
        lambda: Mlp((1, 8, 8), 10),
        {"_target_": "trainer.models.mlp.Mlp", "input_shape": [1, 8, 8], "classes": 10},
    ),
    "small CNN": (Cnn, {"_target_": "__main__.Cnn"}),
    "small transformer": (Transformer, {"_target_": "__main__.Transformer"}),
}


def by_hand(name: str, folder: Path, *, is_saved: bool = False) -> Callable[[], object]:
    """Return what trains in a loop without a loader; the losses are summed up at the end."""
    data = Digits(validation=100)
    model, criterion, optimizer = made(name)
    images, labels = data.train.tensors

    def train() -> None:
        for _ in range(EPOCHS):
            model.train()
            losses = []
            for indices in torch.randperm(len(labels)).split(BATCH):
                optimizer.zero_grad()
                loss = criterion(model(images[indices]), labels[indices])
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
            torch.stack(losses).mean().item()
            evaluate_by_hand(model, criterion, data.validation)
            if is_saved:
                save(model, optimizer, folder)
        evaluate_by_hand(model, criterion, data.test)

    return train


def evaluate_by_hand(model: nn.Module, criterion: nn.Module, samples: TensorDataset) -> None:
    """Compute loss and accuracy of batches that are cut out of tensors."""
    model.eval()
    images, labels = samples.tensors
    losses, right = [], []
    with torch.no_grad():
        for some, their in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            outputs = model(some)
            losses.append(criterion(outputs, their))
            right.append((outputs.argmax(1) == their).sum())
    torch.stack(losses).mean().item()
    torch.stack(right).sum().item()


def tutorial(name: str, folder: Path, workers: int | None = None) -> Callable[[], object]:
    """Return what trains as PyTorch's tutorial does, and saves each epoch."""
    model, criterion, optimizer = made(name, is_fused=None)
    loader, validation, test = loaders(workers)

    def train() -> None:
        for _ in range(EPOCHS):
            model.train()
            for images, labels in loader:
                optimizer.zero_grad()
                loss = criterion(model(images), labels)
                loss.backward()
                optimizer.step()
                loss.item()
            evaluate_tutorial(model, criterion, validation)
            save(model, optimizer, folder)
        evaluate_tutorial(model, criterion, test)

    return train


def evaluate_tutorial(model: nn.Module, criterion: nn.Module, loader: DataLoader[Any]) -> None:
    """Compute loss and accuracy as the tutorial does."""
    model.eval()
    with torch.no_grad():
        for images, labels in loader:
            outputs = model(images)
            criterion(outputs, labels).item()
            (outputs.argmax(1) == labels).sum().item()


def ours(name: str, folder: Path, **changes: Any) -> Callable[[], object]:  # noqa: ANN401
    """Return what trains with our trainer: a durable checkpoint each epoch, points, results."""
    config = {
        "seed": 0,
        "iterations": EPOCHS,
        "batch_size": BATCH,
        "test_with": "last",
        "data": {"_target_": "trainer.data.digits.Digits", "validation": 100},
        "model": MODELS[name][1],
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.001, "fused": True},
        "criterion": {"_target_": "torch.nn.CrossEntropyLoss"},
    }
    return ModularTaskTrainer(config | changes, folder).train


def ours_map_style(name: str, folder: Path, workers: int) -> Callable[[], object]:
    """Return what trains with our trainer and a map-style data set."""
    loading: dict[str, Any] = {"num_workers": workers}
    if workers:
        loading["persistent_workers"] = True
    return ours(name, folder, data={"_target_": "__main__.MapStyle"}, dataloader=loading)


def lightning(name: str, folder: Path, workers: int | None = None) -> Callable[[], object]:
    """Return what trains with Lightning, as its guide shows it, without logger and progress bar."""
    import lightning  # noqa: PLC0415 - not everybody has it
    from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: PLC0415 - as above

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.criterion, _ = made(name)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=0.001, fused=True)

        def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
            loss = self.criterion(self.model(batch[0]), batch[1])
            self.log("train/loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch: list[Tensor], _index: int) -> None:
            self._measure("validation", batch)

        def test_step(self, batch: list[Tensor], _index: int) -> None:  # noqa: PT019 - no test
            self._measure("test", batch)

        def _measure(self, part: str, batch: list[Tensor]) -> None:
            outputs = self.model(batch[0])
            self.log(f"{part}/loss", self.criterion(outputs, batch[1]))
            self.log(f"{part}/accuracy", (outputs.argmax(1) == batch[1]).float().mean())

    module = Module()
    train, validation, test = loaders(workers)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[ModelCheckpoint(dirpath=folder, save_top_k=1)],
    )

    def run() -> None:
        trainer.fit(module, train, validation)
        trainer.test(module, test, verbose=False)

    return run


def accelerated(name: str, folder: Path, workers: int | None = None) -> Callable[[], object]:
    """Return what trains with accelerate, as its guide shows it."""
    from accelerate import Accelerator  # noqa: PLC0415 - not everybody has it

    accelerator = Accelerator(cpu=True)
    given, criterion, given_optimizer = made(name)
    model, optimizer, train, validation, test = accelerator.prepare(
        given, given_optimizer, *loaders(workers)
    )

    def evaluate(loader: DataLoader[Any]) -> None:
        model.eval()
        with torch.no_grad():
            for images, labels in loader:
                outputs = model(images)
                criterion(outputs, labels).item()
                accelerator.gather_for_metrics((outputs.argmax(1), labels))

    def run() -> None:
        for _ in range(EPOCHS):
            model.train()
            for images, labels in train:
                optimizer.zero_grad()
                loss = criterion(model(images), labels)
                accelerator.backward(loss)
                optimizer.step()
                loss.item()
            evaluate(validation)
            accelerator.save_state(str(folder / "state"))
        evaluate(test)

    return run


PEERS: dict[str, Callable[..., Callable[[], object]]] = {
    "lightning": lightning,
    "accelerate": accelerated,
}


def made(
    name: str, *, is_fused: bool | None = True
) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    """Make a model, a criterion and an optimizer."""
    model = MODELS[name][0]()
    return (
        model,
        nn.CrossEntropyLoss(),
        torch.optim.Adam(model.parameters(), lr=0.001, fused=is_fused),
    )


def loaders(workers: int | None) -> list[DataLoader[Any]]:
    """Make a loader of each part: of tensors, or of a map-style data set with some workers."""
    data: Any = Digits(validation=100) if workers is None else MapStyle()
    options = {
        "batch_size": BATCH,
        "num_workers": workers or 0,
        "persistent_workers": bool(workers),
    }
    return [
        DataLoader(data.train, shuffle=True, **options),
        DataLoader(data.validation, **options),
        DataLoader(data.test, **options),
    ]


def save(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> None:
    """Save as the tutorial does, which may not last."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, folder / SAVED)


def timed(prepare: Callable[[Path], Callable[[], object]]) -> tuple[float, float]:
    """Return how long a training takes, by the processor and by the clock, in seconds."""
    with tempfile.TemporaryDirectory(dir=".") as folder, Path("/dev/null").open("w") as nowhere:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            torch.manual_seed(0)
            train = prepare(Path(folder))
            used, begun = time.process_time(), time.perf_counter()
            train()
        return time.process_time() - used, time.perf_counter() - begun


def compare(
    ways: dict[str, Callable[[Path], Callable[[], object]]], rounds: int
) -> dict[str, tuple[float, float, float]]:
    """Return the medians of the ratios to the first way, the ways in turn, and that of the minima.

    The last one is of processor time: what other programs add to it is least in the minima.
    """
    measured: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(-1, rounds):
        for way in [*ways] if number % 2 else reversed([*ways]):
            found = timed(ways[way])
            if number >= 0:  # the first round of all warms up
                measured[way].append(found)
    first = measured[next(iter(ways))]
    return {
        way: (
            median(its[0] / the_first[0] for its, the_first in zip(found, first, strict=True)),
            median(its[1] / the_first[1] for its, the_first in zip(found, first, strict=True)),
            min(found)[0] / min(first)[0],
        )
        for way, found in measured.items()
    }


def measure_trainings(rounds: int) -> None:
    """Print what whole trainings take in each way."""
    kinds: dict[str, Callable[..., Callable[[], object]]] = {
        "by hand, nothing saved": by_hand,
        "by hand, torch.save each epoch": partial(by_hand, is_saved=True),
        "ours, durable, each epoch": ours,
        "the tutorial's loop, torch.save": tutorial,
    }
    for peer, kind in PEERS.items():
        if importlib.util.find_spec(peer) is None:
            print(f"{peer}: not installed; see README.md")
        else:
            kinds[peer] = kind
    for name in MODELS:
        ways = {way: partial(kind, name) for way, kind in kinds.items()}
        for way, (used, took, _) in compare(ways, rounds).items():
            print(f"{name:20}{way:36}{used:8.2f}{took:8.2f}", flush=True)


def measure_map_style(rounds: int) -> None:
    """Print what a training takes in each way where samples are made one by one."""
    kinds: dict[str, Callable[..., Callable[[], object]]] = {
        "the tutorial's loop, torch.save": tutorial,
        "ours, durable, each epoch": ours_map_style,
    }
    kinds |= {peer: kind for peer, kind in PEERS.items() if importlib.util.find_spec(peer)}
    for workers in (0, 2):
        ways = {way: partial(kind, "MLP", workers=workers) for way, kind in kinds.items()}
        for way, (used, took, _) in compare(ways, rounds).items():
            name = f"MLP, {workers} workers"
            print(f"{name:20}{way:36}{used:8.2f}{took:8.2f}", flush=True)


def measure_checkpoints(rounds: int) -> None:
    """Print what a checkpoint of every iteration costs where an iteration takes 60 ms."""
    for name in MODELS:
        alone = median(timed(partial(ours, name))[0] for _ in range(3)) / EPOCHS
        steps = max(1, round(TARGET / alone * 22))
        changes = {"training_type": "step", "eval_every": steps, "iterations": 15}
        ways = {
            "without": partial(ours, name, **changes, checkpoint={"every": 1000}),
            "with": partial(ours, name, **changes, checkpoint={"every": 1}),
        }
        used, took, least = compare(ways, PAIRS * rounds)["with"]
        shown = f"{used:8.3f}{took:8.3f}   {least:.3f} by the processor in the minima"
        print(f"{name:20}{'checkpoint each of 60 ms':36}{shown}", flush=True)


def main() -> None:
    """Measure all of it."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(f"{'model':20}{'training':36}{'used':>8}{'clock':>8}   (times the first way)")
    if sys.argv[2:] != ["loaders"]:
        measure_trainings(rounds)
    measure_map_style(rounds)
    if sys.argv[2:] != ["loaders"]:
        measure_checkpoints(rounds)


if __name__ == "__main__":
    main()
