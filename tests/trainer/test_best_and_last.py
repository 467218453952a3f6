"""The best and the last checkpoint of a run are found, or the error says what to do."""

import json
from pathlib import Path

import pytest

from trainer.best_and_last import best_checkpoint, last_checkpoint
from trainer.errors import CheckpointError

NAMES = ("000002-00000000.pt", "000010-00000000.pt")


def made(tmp_path: Path, best: int | None, *names: str) -> Path:
    """Return a run directory with these checkpoints."""
    (tmp_path / "checkpoints").mkdir()
    for name in names:
        (tmp_path / "checkpoints" / name).touch()
    (tmp_path / "results.json").write_text(json.dumps({"best": {"iteration": best}}))
    return tmp_path


@pytest.mark.parametrize(
    ("best", "names", "found"),
    [
        (2, (*NAMES, "best.pt"), "best.pt"),
        (2, NAMES, NAMES[0]),
        (None, NAMES, NAMES[1]),
    ],
)
def test_best_checkpoint_is_found_by_its_name_or_its_iteration(
    tmp_path: Path, best: int | None, names: tuple[str, ...], found: str
) -> None:
    assert best_checkpoint(made(tmp_path, best, *names)).name == found


def test_last_checkpoint_has_the_most_iterations(tmp_path: Path) -> None:
    assert last_checkpoint(made(tmp_path, 2, *NAMES, "best.pt", "new.pt")).name == NAMES[1]


def test_missing_checkpoints_are_told(tmp_path: Path) -> None:
    run_dir = made(tmp_path, 7, *NAMES)
    with pytest.raises(CheckpointError, match=r"best.pt: it is gone, and so is iteration 7"):
        best_checkpoint(run_dir)
    for name in NAMES:
        (run_dir / "checkpoints" / name).unlink()
    with pytest.raises(CheckpointError, match="there are no checkpoints"):
        last_checkpoint(run_dir)
