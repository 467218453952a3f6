"""Batches come to the GPU in their order, each copied while the one before it is used."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of

from trainer.loading import resident
from trainer.loading.copies_ahead import copied_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from run_files import MakeRun, Train

CPU = torch.device("cpu")


class Streams:
    """A stand-in for `torch.cuda` that notes what is queued on which stream."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.current = self.main = Noting(self, "main")

    def Stream(self) -> Noting:  # noqa: N802 - PyTorch's name
        """Make another stream."""
        return Noting(self, "copies")

    def current_stream(self) -> Noting:
        """Return the stream on which work is queued."""
        return self.current

    @contextmanager
    def stream(self, stream: Noting) -> Iterator[None]:
        """Queue on another stream inside the context."""
        self.current = stream
        yield
        self.current = self.main


class Noting:
    """A stream."""

    def __init__(self, streams: Streams, name: str) -> None:
        self.streams, self.name = streams, name
        self.events = 0

    def wait_stream(self, other: Noting) -> None:
        """Wait for what is queued on another stream."""
        self.streams.log.append(f"{self.name} waits for {other.name}")

    def record_event(self) -> int:
        """Note a place."""
        self.events += 1
        return self.events

    def wait_event(self, event: int) -> None:
        """Wait for a place."""
        self.streams.log.append(f"{self.name} waits for copy {event}")


class Copied:
    """A batch that notes where it is copied."""

    def __init__(self, number: int, streams: Streams) -> None:
        self.number, self.streams = number, streams

    def to(self, _device: torch.device) -> Copied:
        """Be copied."""
        self.streams.log.append(f"{self.number} on {self.streams.current.name}")
        return self


def test_next_batch_is_queued_before_one_is_used() -> None:
    """After the steps that are queued, whose memory it may reuse; and each is waited for."""
    streams = Streams()
    made = (Copied(number, streams) for number in (1, 2, 3))
    for batch in copied_ahead(made, CPU, streams):
        streams.log.append(f"step {batch.number}")
    assert streams.log == [
        *("copies waits for main", "1 on copies", "copies waits for main", "2 on copies"),
        *("main waits for copy 1", "step 1", "copies waits for main", "3 on copies"),
        *("main waits for copy 2", "step 2", "main waits for copy 3", "step 3"),
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_all_batches_come_in_their_order(count: int) -> None:
    """Few, too."""
    made = [(torch.full((2,), number), {"y": torch.tensor(number)}) for number in range(count)]
    found = [*copied_ahead(iter(made), CPU, torch.cpu)]
    assert [int(batch[1]["y"]) for batch in found] == [*range(count)]


def test_error_of_a_batch_is_raised() -> None:
    """By the loader, whose workers are asked why."""

    def made() -> Iterator[Any]:
        yield torch.ones(2)
        raise RuntimeError("no batch")

    with pytest.raises(RuntimeError, match="no batch"):
        [*copied_ahead(made(), CPU, torch.cpu)]


@pytest.mark.gpu
@pytest.mark.parametrize("training_type", ["epoch", "step"])
def test_pinned_batches_of_workers_give_the_same_bits_on_a_gpu(
    make_run: MakeRun, train: Train, training_type: str
) -> None:
    """As batches that are copied when they are needed."""
    digests = set()
    for is_pinned in (True, False):
        loading = {"num_workers": 2, "pin_memory": is_pinned}
        data = {"_target_": "user_modules.Noisy"}
        run_dir = make_run(
            f"{is_pinned}",
            data=data,
            device="cuda",
            dataloader=loading,
            training_type=training_type,
        )
        train(run_dir)
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1


@pytest.mark.gpu
def test_tensors_that_do_not_fit_on_a_gpu_give_the_same_bits(
    make_run: MakeRun, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are pinned batch by batch."""
    digests = set()
    for fits in (True, False):
        if not fits:
            monkeypatch.setattr(resident, "MOST", 0.0)
        run_dir = make_run(f"{fits}", device="cuda")
        train(run_dir)
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1
