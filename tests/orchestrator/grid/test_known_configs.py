"""Tests of orchestrator.grid.known_configs: configs from templates equal those that are composed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.grid.identity import identify
from orchestrator.planning.load import ConfigSource, load_plan

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
defaults: [{{model: small}}]
results_dir: {results}
experiment_id: known
seed: 0
lr: 0.1
twice: ${{decay.start}}
decay: {{start: "${{lr}}", last: "${{model.size}}"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a config folder with a group."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(results=tmp_path / "results"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/small.yaml").write_text("size: 8\n")
    (tmp_path / "model/large.yaml").write_text("size: 64\nwidth: ${seed}\n")
    return tmp_path


@pytest.mark.parametrize(
    "overrides",
    [
        ("seed=0,1,2", "model=small,large", "lr=0.1,0.2"),
        ("lr=0.1,0.2", "seed=range(4)", "decay.last=1,2"),
        ("model=large",),
        ("+_grids=[{model: [small, large]}, {seed: [3, 4], lr: [1, 2]}]",),
        ("+_filters=['lr < 0.15 ! seed > 0']", "seed=0,1,2", "lr=0.1,0.2", "model=small,large"),
    ],
)
def test_known_configs_are_those_that_are_composed(
    folder: Path, overrides: tuple[str, ...]
) -> None:
    decisions = load_plan(ConfigSource(folder, "config", overrides)).plan.decisions
    for place in range(len(decisions)):
        config = decisions.known_config(place)
        assert config == decisions.run(place).config
        assert identify(config or {}, {}).run_id == decisions.run_id(place)


def test_config_with_a_credential_has_to_be_composed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run ID does not follow from the config alone."""
    monkeypatch.setenv("API_TOKEN", "secret")
    overrides = ("+api_token=${oc.env:API_TOKEN}", "seed=0,1")
    decisions = load_plan(ConfigSource(folder, "config", overrides)).plan.decisions
    assert [decisions.known_config(place) for place in range(2)] == [None, None]


def test_config_with_an_axis_that_is_unset_is_composed(folder: Path) -> None:
    """Where its condition does not hold, the template knows no value."""
    overrides = ("seed=0,1", "lr=0.1,0.2", "orch.when={seed: 'lr > 0.15'}")
    decisions = load_plan(ConfigSource(folder, "config", overrides)).plan.decisions
    assert len(decisions) == 3
    for place in range(3):
        assert decisions.known_config(place) in (None, decisions.run(place).config)
