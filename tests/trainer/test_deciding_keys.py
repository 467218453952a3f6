"""What decides the results tells one run's checkpoints from another's, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from trainer.deciding_keys import deciding_keys
from trainer.settings import read_settings

LEAST: dict[str, Any] = {"seed": 0, "iterations": 1}


def test_name_is_a_label_and_decides_nothing() -> None:
    """Neither labels nor the place of the results tell one run's checkpoints from another's."""
    config = LEAST | {"model": {"name": "A", "width": 1}, "results_dir": "x"}
    deciding = deciding_keys(config, read_settings(config))
    assert deciding["model"] == {"width": 1}
    assert "results_dir" not in deciding


@pytest.mark.parametrize(
    "changes",
    [
        *({"accumulate": 2}, {"clip_norm": 1}, {"precision": "bfloat16"}, {"compile": True}),
        {"world_size": 2},
        {"dataloader": {"sampler": {"_target_": "x"}}},
        {"dataloader": {"batch_sampler": {"_target_": "x"}}},
        {"dataloader": {"collate_fn": {"_target_": "x", "_partial_": True}}},
        {"dataloader": {"shuffle": False}},
    ],
)
def test_keys_of_updates_and_batches_tell_one_runs_checkpoints_from_anothers(
    changes: dict[str, Any],
) -> None:
    """They change the bits of a run."""
    config = LEAST | changes
    assert deciding_keys(config, read_settings(config)) != deciding_keys(
        LEAST, read_settings(LEAST)
    )


def test_dropping_the_last_batch_decides_only_if_it_is_asked_for() -> None:
    """Checkpoints from before the key counted stay usable."""
    plain, dropping = (
        LEAST | {"dataloader": {"drop_last": drop_last}} for drop_last in (False, True)
    )
    known = deciding_keys(LEAST, read_settings(LEAST))
    assert deciding_keys(plain, read_settings(plain)) == known
    assert deciding_keys(dropping, read_settings(dropping)) != known


@pytest.mark.parametrize(
    "loading", [{"num_workers": 2}, {"shuffle": True}, {"sampler": None}, {"pin_memory": False}]
)
def test_how_batches_are_loaded_decides_nothing(loading: dict[str, Any]) -> None:
    config = LEAST | {"dataloader": loading}
    known = deciding_keys(LEAST, read_settings(LEAST))
    assert deciding_keys(config, read_settings(config)) == known
