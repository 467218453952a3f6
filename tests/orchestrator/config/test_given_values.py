"""What a command gives to all of its runs is recorded with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.load import load_experiment

FILES = {
    "config": "defaults: [{model: a}, _self_]\nresults_dir: r\nexperiment_id: e\nlr: 0.1\nseed: 0\n"
    "token: x\nlist: [1]\n",
    "model/a": "name: a\n",
    "model/b": "name: b\n",
    "training/grid": "# @package _global_\nhydra: {sweeper: {params: {seed: '0,1'}}}\n_filters: []\n",
    "training/long": "# @package _global_\nlr: 5\n",
}


@pytest.mark.parametrize(
    ("overrides", "given"),
    [
        ([], {}),
        (["lr=0.2", "seed=1,2"], {"lr": 0.2}),
        (["model=b"], {"model": "b"}),
        (["model=a,b", "+model.new=1"], {"model.new": 1}),
        (["+training=grid"], {}),
        (["+training=long"], {"training": "long"}),
        (["list=[2,{a:1}]", "++x.y=null"], {"list": [2, {"a": 1}], "x.y": None}),
        (["orch.workers=2", "results_dir=z", "hydra.job.name=n"], {}),
        (["~lr", "~model.name=a"], {"~lr": None, "~model.name": None}),
        (["token=s3cr3t-hunter2"], {}),
        (["lr='${seed}'"], {"lr": 0}),
    ],
)
def test_values_that_are_no_axes_are_given(
    tmp_path: Path, overrides: list[str], given: Mapping[str, Any]
) -> None:
    """Without secrets, and without settings of how runs are executed, or of the grid."""
    for name, content in FILES.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    described = load_experiment(tmp_path, "config", overrides)
    made = described.composer.conceal(described.first_point())
    assert dict(made.given) == given
    assert made.choices["model"] in ("a", "b")
