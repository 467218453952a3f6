"""A metric that is probably misspelt is told before anything is executed for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator.planning.load import ConfigSource, load_plan
from orchestrator.planning.misspelt_metric import find_correct_name

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
results_dir: {folder}/results
experiment_id: small
seed: 0
"""
OF_TRAINER = "checkpoint: {metric: validation/loss, mode: min}\n"


def _meant(folder: Path, metric: str, *reported: str, config: str = "") -> str:
    """Return the metric that is meant, where a run has reported some."""
    (folder / "config.yaml").write_text(CONFIG.format(folder=folder) + config)
    planned = load_plan(ConfigSource(folder, "config", ["seed=0,1"]))
    if reported:
        planned.experiment.prepare()
        directory = planned.experiment.create(planned.plan.selection.runs[0])
        points = [{"key": key, "value": 1.0, "step": 1, "timestamp": 1} for key in reported]
        directory.metrics.write_text("".join(f"{json.dumps(point)}\n" for point in points))
        planned = load_plan(ConfigSource(folder, "config", ["seed=1,2"]))
    return find_correct_name(metric, planned)


@pytest.mark.parametrize(
    ("metric", "meant"),
    [
        ("validaton/loss", "validation/loss"),
        ("validation/los", "validation/loss"),
        ("Validation/Loss", "validation/loss"),
        ("validation/loss", ""),
        *((metric, "") for metric in ("train/loss", "validation/mse", "loss", "val/loss", "x")),
    ],
)
@pytest.mark.parametrize("knows", ["runs", "config"])
def test_only_a_sure_misspelling_is_told(
    tmp_path: Path, metric: str, meant: str, knows: str
) -> None:
    """Any other metric may come; what runs of the experiment report is known, and what the config names."""
    if knows == "runs":
        assert _meant(tmp_path, metric, "validation/loss", "accuracy") == meant
    else:
        assert _meant(tmp_path, metric, config=OF_TRAINER) == meant


def test_metric_that_is_reported_is_not_one_that_is_like_another(tmp_path: Path) -> None:
    assert _meant(tmp_path, "validation/loss2", "validation/loss", "validation/loss2") == ""


def test_without_any_known_metric_nothing_is_misspelt(tmp_path: Path) -> None:
    assert _meant(tmp_path, "validation/los") == ""
