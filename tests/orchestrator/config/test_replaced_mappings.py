"""Tests of orchestrator.config.replaced_mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.config.load import load_experiment
from orchestrator.config.replaced_mappings import warn_of_replaced_mappings

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: results
experiment_id: small
defaults: [{data: digits}, _self_]
model: {name: mlp, width: 8, depth: 2, bias: true}
logger: {}
lr: 0.1
seed: 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder."""
    (tmp_path / "data").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "data/digits.yaml").write_text("batch: {size: 8}\n")
    return tmp_path


def warnings(folder: Path, *overrides: str) -> list[str]:
    """Return the warnings about the grid of these overrides."""
    return [*warn_of_replaced_mappings(load_experiment(folder, "config", overrides).composer)]


@pytest.mark.parametrize(
    ("words", "key", "named"),
    [
        (["model=5"], "model", "model.name, model.width, model.depth and 1 more"),
        (["model=mlp"], "model", "model.name, model.width, model.depth and 1 more"),
        (["model=null,cnn"], "model", "model.name, model.width, model.depth and 1 more"),
        (["model=range(3)"], "model", "model.name, model.width, model.depth and 1 more"),
        (["++model=2"], "model", "model.name, model.width, model.depth and 1 more"),
        (["data.batch=3,5", "seed=0,1"], "data.batch", "data.batch.size"),
    ],
)
def test_value_in_place_of_a_mapping_is_told(
    folder: Path, words: list[str], key: str, named: str
) -> None:
    """Of an axis, whatever its other values are; also where Hydra adds the key if need be."""
    expected = (
        f"{key} is overridden as a whole: the config has a mapping there, with {named}."
        " If that is not meant, override one of these"
    )
    assert warnings(folder, *words) == [expected]


@pytest.mark.parametrize(
    "word",
    [
        *("model.width=5", "lr=5", "data=digits", "+new=5", "seed=0,1", "logger=wandb"),
        *("model=null", "model=false,null", "~model", "model={width:3}"),
        *("model=${data}", "orch.retries=3", "hydra.mode=RUN"),
    ],
)
def test_other_overrides_are_not(folder: Path, word: str) -> None:
    """Such as those that disable something, or change some keys of a mapping."""
    assert warnings(folder, word) == []


def test_each_grid_is_looked_at(folder: Path) -> None:
    """A key is told once."""
    grids = "+orch.grids=[{seed:'0,1'},{model:'1,2'},{model:3,lr:'1,2'}]"
    assert [text.split()[0] for text in warnings(folder, grids)] == ["model"]
