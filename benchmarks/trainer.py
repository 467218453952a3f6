"""Measures the overhead of the trainer, on this machine's CPU.

``python benchmarks/trainer.py`` prints a table; ``README.md`` tells how it is measured. Lightning
stands beside us where it is importable.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import sys
import tempfile
import time
import warnings
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

# This script's own folder would hide the package of the same name.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from trainer.checkpoints.background_writer import Recorder
from trainer.checkpoints.store import Checkpoints
from trainer.data.digits import Digits
from trainer.history import History
from trainer.interval import Interval
from trainer.models.mlp import Mlp
from trainer.run_files import Outputs, Progress
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONF = Path(__file__).parents[1] / "conf"
HAS_LIGHTNING = importlib.util.find_spec("lightning") is not None
BATCH = 64
STEPS = 1000
ROUNDS = 7


class Enough(Exception):  # noqa: N818 - no error
    """Ends a training from inside."""


class Clock:
    """A module with callbacks of iterations, and of steps only to end the training at the first."""

    iterations: ClassVar[list[float]] = []
    stop_at_step: ClassVar[bool] = False

    def __init__(self) -> None:
        if self.stop_at_step:
            self.cb_on_step_end = self._stop

    def _stop(self, *_values: object) -> None:
        raise Enough

    def cb_on_iteration_begin(self, _trainer: object, _iteration: int) -> None:
        """Start the clock: the time of the training thread alone."""
        self.begun = time.thread_time()

    def cb_on_iteration_end(self, _trainer: object, _iteration: int, _metrics: object) -> None:
        """Stop the clock."""
        self.iterations.append(time.thread_time() - self.begun)


class Small(nn.Sequential):
    """A model with tiny steps: nearly everything that is measured is overhead."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, 10))


def configuration(optimizer: str = "sgd", **changes: Any) -> DictConfig:  # noqa: ANN401
    """Compose the groups that we ship, and replace some keys or groups."""
    cfg = OmegaConf.load(CONF / "config.yaml")
    chosen = {"data": "digits", "model": "mlp", "criterion": "cross_entropy"}
    for group, name in (chosen | {"optimizer": optimizer}).items():
        cfg[group] = OmegaConf.load(CONF / group / f"{name}.yaml")
    cfg.curriculum = {"_target_": "__main__.Clock"}
    for key, value in changes.items():
        cfg[key] = value
    return cfg


def small_run(**changes: Any) -> DictConfig:  # noqa: ANN401
    """Configure a training of small steps that is hardly ever validated."""
    small = {
        "data": {"_target_": "trainer.data.digits.Digits", "validation": 1},
        "model": {"_target_": "__main__.Small"},
        "training_type": "step",
        "eval_every": STEPS,
    }
    return configuration(**small | changes)


class Batches(Sampler[list[int]]):
    """Yield shuffled batches of indices, as one would by hand."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[list[int]]:
        """Yield an epoch."""
        yield from (batch.tolist() for batch in torch.randperm(self.samples).split(BATCH))


# --- what a step costs


def by_hand() -> float:
    """Return the time of a step of a hand-written loop, in seconds of its thread."""
    images, labels = Digits(validation=1).train.tensors
    model, criterion = Small(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.03, momentum=0.9, nesterov=True, fused=True)
    batches = (part for _ in count() for part in torch.randperm(len(labels)).split(BATCH))
    model.train()
    begun = time.thread_time()
    for indices in islice(batches, STEPS):
        optimizer.zero_grad()
        loss = criterion(model(images[indices]), labels[indices])
        loss.backward()
        optimizer.step()
    return (time.thread_time() - begun) / STEPS


def by_trainer() -> float:
    """Return the time of a step of the trainer, including its share of the evaluation."""
    Clock.iterations.clear()
    with tempfile.TemporaryDirectory() as folder:
        quietly(ModularTaskTrainer(small_run(iterations=1), Path(folder)).train)
    return Clock.iterations[0] / STEPS


def by_lightning() -> float:
    """Return the time of a step of Lightning, with every option disabled that can be."""
    import lightning  # noqa: PLC0415 - not everybody has it

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.criterion = Small(), nn.CrossEntropyLoss()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            options = {"momentum": 0.9, "nesterov": True, "fused": True}
            return torch.optim.SGD(self.parameters(), 0.03, **options)

        def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
            return self.criterion(self.model(batch[0]), batch[1])

        def on_train_start(self) -> None:
            self.begun = time.thread_time()

        def on_train_end(self) -> None:
            self.seconds = time.thread_time() - self.begun

    train = Digits(validation=1).train
    loader = DataLoader(train, sampler=Batches(len(train)), batch_size=None)
    switched_off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options: dict[str, Any] = dict.fromkeys(switched_off, False)
    module = Module()
    lightning.Trainer(accelerator="cpu", max_steps=STEPS, max_epochs=-1, **options).fit(
        module, loader
    )
    return module.seconds / STEPS


def measure_steps() -> None:
    """Print the time of a step, for the trainer and others, in alternating rounds."""
    ways = {"a hand-written loop": by_hand, "ModularTaskTrainer": by_trainer}
    if HAS_LIGHTNING:
        ways["Lightning"] = by_lightning
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3 * ROUNDS):
        for name, way in ways.items():
            seconds[name].append(way())
    plain = min(seconds["a hand-written loop"])
    for name, each in seconds.items():
        limit = "10" if name == "ModularTaskTrainer" else ""
        over = f"+{(min(each) - plain) * 1e6:.1f}"
        row(f"a step, {name}, at the least", f"{min(each) * 1e6:.1f} µs", over, limit)
    if not HAS_LIGHTNING:
        row("a step, Lightning", "not installed")


# --- the defaults against the loop of the tutorials


def tutorial(seed: int, epochs: int) -> tuple[float, float]:
    """Train the digits as PyTorch's tutorial does; return the seconds and the test accuracy."""
    torch.manual_seed(seed)
    data = Digits(validation=100)
    model, criterion = Mlp((1, 8, 8), 10), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    train = DataLoader(data.train, batch_size=BATCH, shuffle=True)
    begun = time.perf_counter()
    for _ in range(epochs):
        model.train()
        total = 0.0
        for images, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        test(model, criterion, data.validation)
    end = test(model, criterion, data.test)
    return time.perf_counter() - begun, end


def test(model: nn.Module, criterion: nn.Module, samples: TensorDataset) -> float:
    """Compute loss and accuracy as the tutorial does, and return the accuracy."""
    model.eval()
    total = right = 0.0
    with torch.no_grad():
        for images, labels in DataLoader(samples, batch_size=BATCH):
            outputs = model(images)
            total += criterion(outputs, labels).item()
            right += (outputs.argmax(1) == labels).sum().item()
    return right / len(samples)


def ours(seed: int, epochs: int) -> tuple[float, float]:
    """Train the same with the trainer's defaults, including checkpoints; return the same."""
    changes = {"seed": seed, "iterations": epochs, "test_with": "last"}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        trainer = ModularTaskTrainer(configuration("adam", **changes), Path(folder))
        begun = time.perf_counter()
        end = quietly(trainer.train)["test/accuracy"]
        return time.perf_counter() - begun, end


def measure_digits() -> None:
    """Print how long a training takes in all, and how well it ends, over some seeds."""
    ways = {"the tutorial's loop": tutorial, "our defaults": ours}
    measured = {name: [] for name in ways}
    for seed in range(3 * ROUNDS):
        for name, way in ways.items():
            measured[name].append(way(seed, 15))
    for name, each in measured.items():
        seconds, ends = zip(*each, strict=True)
        end = f"accuracy {statistics.mean(ends):.3f} ± {statistics.stdev(ends):.3f}"
        row(f"15 epochs of digits, {name}", f"{statistics.median(seconds):.3f} s", end)
    pairs = zip(*measured.values(), strict=True)
    ratio = statistics.median(theirs[0] / its[0] for theirs, its in pairs)
    row("how much faster ours is", f"{ratio:.2f}", "", "1.5 at least")


# --- checkpoints, metrics, resuming


def measure_checkpoints() -> None:
    """Print how long a durable checkpoint of 10 MB delays the training thread.

    That is the time in which it copies, or waits for the disk or the interpreter: other programs on
    the machine take time away too, but not as often when there are none.
    """
    state, step = ten_megabytes(), make_step()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        checkpoints = Checkpoints(Path(folder, "checkpoints"), 2, "")
        longer = longer_by_the_clock(checkpoints, Path(folder), state, step)
        begun = time.perf_counter()
        checkpoints.write(checkpoints.take(1, state(), None))
        alone = time.perf_counter() - begun
        copying, waiting = [], []
        with Recorder(checkpoints, Outputs(Path(folder)), Interval()) as recorder:
            for iteration in range(2, 62):
                before = waited()
                train_for(step, seconds=0.2)
                undisturbed = waited() - before
                before, begun = waited(), time.thread_time()
                recorder.record(Progress(iteration, 99, []), state, None)
                copying.append(time.thread_time() - begun)
                train_for(step, seconds=0.2)
                waiting.append(waited() - before - undisturbed)
    copied, held = statistics.median(copying), statistics.median(waiting)
    row("10 MB checkpoint, written at once", f"{alone * 1e3:.1f} ms")
    row("... while training: copying", f"{copied * 1e3:.1f} ms")
    row("... while training: waiting", f"{held * 1e3:.1f} ms")
    row("... both, of an iteration of 1 s", f"{(copied + held) * 100:.2f} %", "", "0.5 %")
    row("... by the clock, iterations of 1 s", f"{longer * 100:+.2f} %", "median of 20 pairs")


def longer_by_the_clock(
    checkpoints: Checkpoints,
    folder: Path,
    state: Callable[[], dict[str, Any]],
    step: Callable[[], None],
) -> float:
    """Return by which share iterations of about 1 s are longer with a checkpoint."""
    train_for(step, seconds=0.5)
    steps = count_steps(step, 1.0)
    ratios = []
    with Recorder(checkpoints, Outputs(folder), Interval()) as recorder:
        for iteration in range(1, 21):
            seconds = []
            for is_recorded in (False, True):
                begun = time.perf_counter()
                if is_recorded:
                    recorder.record(Progress(iteration, 99, []), state, None)
                for _ in range(steps):
                    step()
                seconds.append(time.perf_counter() - begun)
            ratios.append(seconds[1] / seconds[0] - 1)
    return statistics.median(ratios)


def count_steps(step: Callable[[], None], seconds: float) -> int:
    """Return how many steps fit into a time."""
    end, steps = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        step()
        steps += 1
    return steps


def waited() -> float:
    """Return how long this thread has waited so far, except for a processor, in seconds."""
    delayed = int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    return time.perf_counter() - time.thread_time() - delayed


def ten_megabytes() -> Callable[[], dict[str, Any]]:
    """Return a function that returns the state of a model with Adam after a step."""
    model = Mlp((1, 32, 32), 10, hidden=500)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    model(torch.randn(2, 1, 32, 32)).sum().backward()
    optimizer.step()
    return lambda: {
        "modules": {"model": model.state_dict(), "optimizer": optimizer.state_dict()},
    }


def make_step() -> Callable[[], None]:
    """Return a function that takes an ordinary step."""
    model, samples = Mlp((1, 8, 8), 10), torch.randn(BATCH, 1, 8, 8)

    def step() -> None:
        model(samples).sum().backward()

    return step


def train_for(step: Callable[[], None], seconds: float) -> None:
    """Take steps for some time."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        step()


def measure_metrics() -> None:
    """Print the time of a metric point, from the trainer's dictionary to the disk."""
    points, iterations = 1000, 20
    with tempfile.TemporaryDirectory(dir=".") as folder:
        outputs, history = Outputs(Path(folder)), History("metric/0", "min")
        outputs.open(since=0)
        seconds = []
        for iteration in range(1, iterations + 1):
            metrics = {f"metric/{number}": 1 / (iteration + number) for number in range(points)}
            begun = time.thread_time()
            history.add(iteration, metrics, timestamp=time.time_ns() // 1_000_000)
            outputs.publish(Progress(iteration, iterations, history.points))
            seconds.append(time.thread_time() - begun)
    row(
        "a metric point, to the disk, at the least",
        f"{min(seconds) / points * 1e6:.2f} µs",
        "",
        "5",
    )


def measure_resuming() -> None:
    """Print how long the first step after a resume takes, early and late in a training."""
    places = {10: (10, 1), 100_000: (100, 1000)}
    seconds: dict[int, list[float]] = {batch: [] for batch in places}
    with tempfile.TemporaryDirectory() as root:
        runs = {}
        for batch, (eval_every, iterations) in places.items():
            run_dir = Path(root, str(batch))
            run_dir.mkdir()
            cfg = small_run(eval_every=eval_every, iterations=iterations)
            quietly(ModularTaskTrainer(cfg, run_dir).train)
            runs[batch] = (small_run(eval_every=eval_every, iterations=iterations + 1), run_dir)
        Clock.stop_at_step = True
        for _ in range(9 * ROUNDS):
            for batch, (cfg, run_dir) in runs.items():
                seconds[batch].append(quietly(lambda cfg=cfg, at=run_dir: first_step(cfg, at)))
        Clock.stop_at_step = False
    early, late = (statistics.median(each) for each in seconds.values())
    row("resumed at batch 10, to its first step", f"{early * 1e3:.1f} ms")
    row("resumed at batch 100,000", f"{late * 1e3:.1f} ms", f"{late / early:.2f} times", "1")


def first_step(cfg: DictConfig, run_dir: Path) -> float:
    """Return how long it takes from nothing to the first step's end, in seconds."""
    begun = time.perf_counter()
    try:
        ModularTaskTrainer(cfg, run_dir).train()
    except Enough:
        return time.perf_counter() - begun
    raise AssertionError("there was no step")


def quietly(function: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the function returns
    """Call a function without the lines that it prints."""
    before, sys.stdout = sys.stdout, Path("/dev/null").open("w", encoding="utf-8")  # noqa: SIM115
    try:
        return function()
    finally:
        sys.stdout.close()
        sys.stdout = before


def row(what: str, value: str, beside: str = "", limit: str = "") -> None:
    """Print a line of the table."""
    print(f"{what:42}{value:>16}  {beside:24}{limit}", flush=True)


def main() -> None:
    """Measure everything in turn."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    row("what", "median", "", "limit")
    for measure in (
        measure_steps,
        measure_digits,
        measure_checkpoints,
        measure_metrics,
        measure_resuming,
    ):
        measure()


if __name__ == "__main__":
    main()
