"""Tests of orchestrator.config.other_iteration_count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.config.load import load_experiment
from orchestrator.config.other_iteration_count import resolve_with_total
from orchestrator.errors import ConfigError
from orchestrator.grid.axes import Point

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: results
experiment_id: small
iterations: 10
half: ${iterations}
whole: {steps: "${half}"}
fixed: 3
"""


def test_values_that_depend_on_the_number_follow_it(tmp_path: Path) -> None:
    """Also through other keys; what the point sets stays."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    composer = load_experiment(tmp_path, "config", ["fixed=3,4"]).composer
    found = resolve_with_total(composer, Point({"fixed": 4}), 20)
    assert found["iterations"] == found["half"] == 20
    assert found["whole"] == {"steps": 20}
    assert found["fixed"] == 4


def test_value_that_cannot_be_resolved_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG + "broken: ${nothing}\n")
    composer = load_experiment(tmp_path, "config", []).composer
    with pytest.raises(ConfigError):
        resolve_with_total(composer, Point({}), 20)
