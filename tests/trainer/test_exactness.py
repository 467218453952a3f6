"""Where exactness ends: what a data set or a callback changes, and where that shows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from run_files import MakeRun, Start, results_of
from thinning import combined
from torch.utils.data import get_worker_info
from user_modules import NoisySamples, labelled, run_program

from trainer.loading.loaders import make_loader
from trainer.loading.sample_checks import examine
from trainer.settings import read_settings


def digest_of(make_run: MakeRun, start: Start, workers: int, when: str, **changes: Any) -> str:
    """Train with a data set that is changed at an event, and return the digest."""
    run_dir = make_run(
        f"{when}-{workers}-{len(changes)}",
        iterations=3,
        data={"_target_": "changing_data.Changing", "when": when},
        dataloader={"num_workers": workers},
        **changes,
    )
    assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
    digest: str = results_of(run_dir)["digest"]
    return digest


@pytest.mark.parametrize(
    ("when", "training_type"),
    combined(when=["iteration_begin", "iteration_end"], training_type=["epoch", "step"]),
)
def test_change_between_iterations_gives_the_same_bits_with_any_number_of_workers(
    make_run: MakeRun, start: Start, when: str, training_type: str
) -> None:
    """Workers are started again, also in the middle of a pass, and make what they made before."""
    digests = {
        digest_of(make_run, start, workers, when, training_type=training_type) for workers in (0, 2)
    }
    assert len(digests) == 1


def test_change_at_a_step_counts_at_once_or_from_the_next_iteration_on(
    make_run: MakeRun, start: Start
) -> None:
    """So it gives other bits with workers than without: those of a change at the end."""
    late = digest_of(make_run, start, 0, "iteration_end")
    assert digest_of(make_run, start, 2, "step_end") == late
    assert digest_of(make_run, start, 0, "step_end") != late


class Numbered(NoisySamples):
    """Samples that know which worker makes them."""

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        worker = get_worker_info()
        sample, label = self.samples[index]
        return sample, label + (0 if worker is None else 10 * worker.id)


def test_number_of_a_worker_is_the_only_thing_that_differs() -> None:
    """The second of two workers makes every second batch."""
    batches = []
    for workers in (0, 2):
        config = {"seed": 1, "iterations": 1, "batch_size": 8}
        settings = read_settings(config | {"dataloader": {"num_workers": workers}})
        batches.append([*make_loader(Numbered(labelled(0)), "validation", settings)])
    for number, ((one, label), (other, marked)) in enumerate(zip(*batches, strict=True)):
        assert torch.equal(one, other)
        assert torch.equal(label + 10 * (number % 2), marked)


class Turning(NoisySamples):
    """Samples in an order that changes at the end of a pass."""

    made = 0

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        self.made += 1
        return self.samples[(index + self.made // len(self.samples)) % len(self.samples)]


class Writing(NoisySamples):
    """Samples that leave a file."""

    path = Path()

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        self.path.touch()
        return self.samples[index]


def checked(samples: Any) -> dict[str, str]:
    """Look at samples before the training."""
    settings = read_settings({"seed": 1, "iterations": 1, "batch_size": 8})
    return examine({"train": make_loader(samples, "train", settings)}, is_strict=True)


def test_what_a_data_set_changes_later_is_not_seen() -> None:
    """There is no complaint, though a resumed run would differ."""
    assert "44 samples, " in checked(Turning(labelled(0)))["data.train"]


def test_what_a_data_set_writes_to_disk_stays(tmp_path: Path) -> None:
    """Unlike everything in memory."""
    samples = Writing(labelled(0))
    samples.path = tmp_path / "written"
    checked(samples)
    assert samples.path.exists()
