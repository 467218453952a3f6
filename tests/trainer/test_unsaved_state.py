"""What a module counts and does not save is told in the log, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from run_files import MakeRun, Train


def of(name: str) -> dict[str, Any]:
    """Return the configuration of a module."""
    return {"_target_": f"counting_modules.{name}"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"curriculum": of("Count")}, "note: curriculum.steps changed in the first iteration"),
        ({"curriculum": of("CountsFromItsClass")}, "note: curriculum.steps changed in the first"),
        ({"curriculum": of("Sum")}, "note: curriculum.losses changed"),
        ({"model": of("Annealed")}, "note: model.noise.strength changed"),
        ({"curriculum": {"_target_": "user_modules.Counter"}}, ""),
        ({"model": of("Extra")}, ""),
        ({"model": of("Lazy")}, ""),
        ({"model": {"_target_": "stand_ins.Normed"}}, ""),
        ({"scheduler": {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}}, ""),
    ],
)
def test_state_that_nothing_saves_is_told_once(
    make_run: MakeRun,
    train: Train,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    told: str,
) -> None:
    """After the first iteration; there is no false alarm."""
    train(make_run(iterations=3, **changes))
    said = capsys.readouterr().out
    assert said.count("note: ") == bool(told)
    assert told in said
