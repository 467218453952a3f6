"""What begins after the last iteration is named, because it never does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from user_modules import run_program

from trainer.late_beginnings import describe_late
from trainer.settings import read_settings

if TYPE_CHECKING:
    from run_files import MakeRun, Start

EMA = {"ema": {"decay": 0.9, "from_iteration": 4}}
STOPPING = {"stopping": {"patience": 1, "from_iteration": 5}}


@pytest.mark.parametrize(
    ("config", "iterations", "said"),
    [
        (EMA, 3, "ema.from_iteration: the run ends before that, after iteration 3."),
        (STOPPING, 4, "stopping.from_iteration: the run ends before that, after iteration 4."),
        (
            EMA | STOPPING,
            3,
            "ema.from_iteration and stopping.from_iteration: the run ends before that",
        ),
        (EMA | STOPPING, 5, ""),
        ({}, 1, ""),
    ],
)
def test_what_never_begins_is_named(config: dict[str, Any], iterations: int, said: str) -> None:
    found = describe_late(read_settings({"seed": 0, "iterations": iterations, **config}))
    assert found.startswith(said)
    assert bool(found) is bool(said)


def test_program_prints_it_and_trains(make_run: MakeRun, start: Start) -> None:
    """Another run may go on from this one, with more iterations. A summed loss is named beside it."""
    run_dir = make_run(iterations=1, criterion__reduction="sum", **EMA)
    assert start(run_program, str(run_dir)) == 0
    said = (run_dir / "err.log").read_text()
    assert "note: ema.from_iteration: the run ends" in said
    assert "note: criterion.reduction: with sum," in said
