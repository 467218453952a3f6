"""Whatever happens to the newest checkpoint on the disk is noticed, and costs one iteration."""

from __future__ import annotations

import shutil
from random import Random
from typing import TYPE_CHECKING

import pytest
import torch
from run_files import checkpoints_of, places_of, results_of
from user_modules import Interrupted, sabotage

from trainer.checkpoints.store import Checkpoints

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import MakeRun, Train

DAMAGES = 2000
PAGE = 4096


def damage(content: bytes, random: Random) -> bytes:
    """Flip a bit, cut the end off, or zero a page or what is left of it; never change nothing."""
    kind = random.choice(("flip", "cut", "zero"))
    if kind == "flip":
        at = random.randrange(len(content))
        return content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
    if kind == "cut":
        return content[: random.randrange(len(content))]
    first = random.randrange(0, len(content), PAGE)
    length = len(content[first : first + PAGE])
    zeroed = content[:first] + bytes(length) + content[first + length :]
    return zeroed if zeroed != content else damage(content, random)


def test_every_damage_is_noticed_and_the_one_before_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 2,000 random damages to a checkpoint of several pages, not one gets through."""
    checkpoints = Checkpoints(tmp_path, 2, "fingerprint")
    for iteration in (1, 2):
        checkpoints.write(checkpoints.take(iteration, {"weights": torch.randn(4000)}, best=1))
    before, newest = sorted(tmp_path.glob("0*.pt"))
    whole = newest.read_bytes()
    random = Random(0)  # noqa: S311 - no secret
    for _ in range(DAMAGES):
        newest.write_bytes(damage(whole, random))
        found = Checkpoints(tmp_path, 2, "fingerprint").newest()
        assert found is not None
        assert found[0] == before
    assert capsys.readouterr().out.count("cannot be used: ") == DAMAGES


def train_on_with_damage(
    make_run: MakeRun, train: Train, tmp_path: Path, random: Random, damages: int
) -> None:
    """Damage the newest checkpoint of an interrupted run, repeatedly, and let it end."""
    whole = make_run("whole", iterations=3, model__dropout=0.3)
    train(whole)
    saboteur = sabotage(tmp_path, "iteration_end", 3, "raise")
    broken = make_run("broken", iterations=3, model__dropout=0.3, curriculum=saboteur)
    with pytest.raises(Interrupted):
        train(broken)
    for number in range(damages):
        copy = tmp_path / f"damaged-{number}"
        shutil.copytree(broken, copy)
        newest = checkpoints_of(copy)[-1]
        newest.write_bytes(damage(newest.read_bytes(), random))
        train(copy)
        assert results_of(copy)["digest"] == results_of(whole)["digest"]
        assert results_of(copy)["test"] == results_of(whole)["test"]
        assert places_of(copy) == places_of(whole)
        shutil.rmtree(copy)


def test_damaged_run_ends_with_the_same_digest(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """A few of them to the end of the training."""
    train_on_with_damage(make_run, train, tmp_path, Random(1), 10)  # noqa: S311


@pytest.mark.soak
def test_two_thousand_damaged_runs_end_with_the_same_digest(
    make_run: MakeRun, train: Train, tmp_path: Path
) -> None:
    """All of them to the end of the training."""
    train_on_with_damage(make_run, train, tmp_path, Random(2), DAMAGES)  # noqa: S311
