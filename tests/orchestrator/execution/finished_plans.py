"""Plans in the current folder, and finished runs of them that are made by hand."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.planning.load import ConfigSource, Planned, load_plan
from orchestrator.rundir.state import Record, Status

CONFIG = """\
defaults: [{model: mlp}, _self_]
results_dir: results
experiment_id: one
epochs: 10
name: ${model.name}-${lr}-${epochs}
lr: 0.1
seed: 0
orch: {command: ["true"]}
"""
AXES = ("model=mlp,cnn", "lr=0.1,0.2", "seed=0,1")
SECONDS = {"mlp": 10.0, "cnn": 100.0}


def make_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a config folder, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/config.yaml").write_text(CONFIG)
    for name in ("mlp", "cnn", "vit"):
        (tmp_path / f"conf/model/{name}.yaml").write_text(f"name: {name}\n")


def plan(*overrides: str) -> Planned:
    return load_plan(ConfigSource(Path("conf"), None, overrides))


def finish(planned: Planned, seconds: Mapping[str, float] = SECONDS, *, most: int = 1000) -> None:
    """Leave what runs leave that take these seconds, by their model."""
    planned.experiment.prepare()
    for decision in list(planned.plan.decisions)[:most]:
        run = planned.experiment.create(decision.run)
        config: Any = decision.run.config
        minutes, rest = divmod(seconds[config["model"]["name"]], 60)
        ended = f"2026-11-29T10:{minutes:02.0f}:{rest:06.3f}+00:00"
        run.write_status(
            Status(Record.DONE, 1, "2026-11-29T10:00:00+00:00", "box", 1, ended_at=ended)
        )
        progress = {"iteration": config["epochs"], "iterations": config["epochs"], "metrics": {}}
        (run.path / "progress.json").write_text(json.dumps(progress))
        (run.path / "model.bin").write_bytes(os.urandom(100_000))
