"""Streams are read in their order, seeded by batch, and resumed at any batch to the same bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from run_files import results_of
from streaming import MADE, Stream
from thinning import combined
from user_modules import run_program, sabotage

from trainer.errors import ConfigError
from trainer.loading.iterable_data_sets import StreamedBatches
from trainer.loading.loaders import make_loader
from trainer.settings import read_settings
from trainer.training_position import passes_of

if TYPE_CHECKING:
    from run_files import Interrupt, MakeRun, Start, Train

WAYS = ("", "shuffled", "buffered", "noisy", "sharded", "shorter each epoch")
OWN = "its own iterator"


def streams(how: str) -> dict[str, Any]:
    """Return the configuration of a data module of streams."""
    return {"data": {"_target_": "streaming.Streams", "how": how}}


def loader(how: str, **changes: Any) -> StreamedBatches:
    """Make the loader of a stream."""
    settings = read_settings({"seed": 3, "iterations": 1, "batch_size": 8, **changes})
    made = make_loader(Stream(how, 0), "train", settings)
    assert isinstance(made, StreamedBatches)
    return made


@pytest.mark.parametrize(
    ("how", "training_type", "event"),
    combined(
        how=[*WAYS, OWN], training_type=("epoch", "step"), event=("step_end", "iteration_end")
    ),
)
def test_interrupted_run_ends_with_the_same_bits(
    interrupt: Interrupt, how: str, training_type: str, event: str
) -> None:
    interrupt(event, 3, training_type=training_type, eval_every=4, **streams(how))


@pytest.mark.parametrize(
    "changes", [{"accumulate": 4}, {"dataloader": {"drop_last": True}}], ids=str
)
def test_interrupted_run_with_other_batches_ends_with_the_same_bits(
    interrupt: Interrupt, changes: dict[str, Any]
) -> None:
    interrupt("step_end", 2, **changes, **streams("buffered"))


@pytest.mark.parametrize(
    ("how", "training_type"),
    combined(how=["noisy", "buffered", "sharded"], training_type=["epoch", "step"]),
)
def test_number_of_workers_changes_nothing(
    make_run: MakeRun, start: Start, how: str, training_type: str
) -> None:
    """Not even if a stream shares its samples between them."""
    digests = set()
    for workers in (0, 1, 3):
        loading = {"num_workers": workers, **({"persistent_workers": True} if workers else {})}
        run_dir = make_run(
            f"{workers}",
            iterations=3,
            training_type=training_type,
            dataloader=loading,
            **streams(how),
        )
        assert start(run_program, str(run_dir)) == 0, (run_dir / "err.log").read_text()
        digests.add(results_of(run_dir)["digest"])
    assert len(digests) == 1


def test_killed_run_goes_on_with_another_number_of_workers(
    make_run: MakeRun, start: Start, tmp_path: Any
) -> None:
    whole = make_run("whole", training_type="step", **streams("noisy"))
    assert start(run_program, str(whole)) == 0
    killed = make_run(
        "killed",
        training_type="step",
        dataloader={"num_workers": 1},
        curriculum=sabotage(tmp_path, "step_end", 3, "kill"),
        **streams("noisy"),
    )
    assert start(run_program, str(killed)) == -9
    config = killed / "config.yaml"
    config.write_text(config.read_text().replace("num_workers: 1", "num_workers: 0"))
    assert start(run_program, str(killed)) == 0
    assert results_of(killed)["digest"] == results_of(whole)["digest"]


def test_pass_has_all_samples_in_their_order() -> None:
    batches = [*loader("")]
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 8, 8, 4]
    assert torch.equal(
        torch.cat([samples for samples, _ in batches]), Stream("", 0).samples.tensors[0]
    )


def test_smaller_last_batch_can_be_dropped() -> None:
    assert len([*loader("", dataloader={"drop_last": True})]) == 5


def test_each_epoch_is_another_one_if_the_stream_says_so() -> None:
    made = loader("shuffled")
    first = next(iter(made))[0]
    made.order.epoch = 1
    assert not torch.equal(next(iter(made))[0], first)


@pytest.mark.parametrize("how", WAYS)
def test_batch_is_the_same_wherever_a_pass_begins(how: str) -> None:
    made, again = loader(how), loader(how)
    whole = [*made]
    for first in (3, 1, 5):
        again.order.first_batch = first
        rest = [*again]
        assert len(rest) == len(whole) - first
        assert all(
            torch.equal(one, other)
            for batch, its in zip(rest, whole[first:], strict=True)
            for one, other in zip(batch, its, strict=True)
        )


def test_samples_before_a_resume_are_read_once() -> None:
    made = loader("")
    made.order.first_batch = 4
    MADE.clear()
    iterator = iter(made)
    next(iterator)
    assert MADE == [40]
    next(iterator)
    assert MADE == [44]


def test_stream_without_an_end_trains_by_steps(make_run: MakeRun, train: Train) -> None:
    run_dir = make_run(training_type="step", data={"_target_": "streaming.Endless"})
    train(run_dir)
    assert results_of(run_dir)["environment"]["data.train"].startswith("a stream, ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (streams("unseeded"), r"^data.train: streaming.Stream returns other samples each time"),
        (streams("goes on"), r"^data.train: streaming.Stream returns other samples each time"),
        (
            streams("forgetful epoch"),
            r"^data: ForgetfulEpoch cannot be iterated over: .*set_epoch\(\) takes 1",
        ),
        (streams("empty"), r"^data: the stream of the training set ends before batch 0"),
        (
            {**streams(""), "dataloader": {"shuffle": True}},
            r"^dataloader.shuffle: train is a Stream, a stream, which decides the order itself",
        ),
        (
            {
                **streams(""),
                "dataloader": {"sampler": {"_target_": "torch.utils.data.RandomSampler"}},
            },
            r"^dataloader.sampler: train is a Stream, a stream",
        ),
        (
            {
                **streams(""),
                "curriculum": {
                    "_target_": "trainer.curriculum.paced.PacedCurriculum",
                    "scores": {"_target_": "trainer.curriculum.scores.RandomScores"},
                },
            },
            r"^curriculum.scores: data: train is a Stream, a stream",
        ),
        (
            {"data": {"_target_": "streaming.Broken"}},
            r"^data: NotIterable cannot be iterated over",
        ),
    ],
)
def test_stream_that_cannot_be_resumed_or_used_is_refused_in_one_line(
    make_run: MakeRun, train: Train, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        train(make_run(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_failure_in_a_stream_leads_to_its_line(
    make_run: MakeRun, start: Start, workers: int
) -> None:
    run_dir = make_run(dataloader={"num_workers": workers}, **streams("fails"))
    assert start(run_program, str(run_dir)) == 1
    said = (run_dir / "err.log").read_text()
    assert 'streaming.py", line' in said
    assert "no such shard" in said


def test_samples_of_a_stream_are_not_selected_by_indices() -> None:
    with pytest.raises(ConfigError, match=r"^data: train is a Stream, a stream, whose"):
        passes_of(loader("")).restrict([1, 2])
    passes_of(loader("")).restrict(None)
