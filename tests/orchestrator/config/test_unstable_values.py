"""Values that would give a run another ID each time are refused, unless they are excluded from it."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.load import load_experiment
from orchestrator.errors import ConfigError
from orchestrator.planning.load import ConfigSource, load_plan

PRIMARY = "results_dir: results\nexperiment_id: e\nlr: 1\n"


def _folder(path: Path, text: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.yaml").write_text(PRIMARY + text)
    return path


TIMED: list[Any] = [
    ("tag: 'run-${now:%Y}'", [], "tag contains the time"),
    ("tag: {a: ['${now:%Y}']}", [], "tag.a.0 contains the time"),
    (
        "stamp: '${now:%Y}'\ntag: 'x-${stamp}'",
        ["+orch.identity.exclude=[stamp]"],
        "tag contains the time",
    ),
    (
        "stamp: {a: '${now:%Y}'}\ntag: '${stamp}'",
        ["+orch.identity.exclude=[stamp]"],
        "tag.a contains",
    ),
    ("tag: 1", ["results_dir='r/${now:%Y}'"], "results_dir contains the time"),
    ("tag: 1", ["tag=a,'${now:%Y}'"], "tag contains the time"),
    ("tag: '${now:%Y}'", ["+orch.identity.exclude=[tag]"], ""),
    ("tag: {a: {b: '${now:%Y}'}}", ["+orch.identity.exclude=[tag.a]"], ""),
    ("tag: '\\${now:%Y}'", [], ""),
]


@pytest.mark.parametrize(("text", "overrides", "message"), TIMED)
def test_time_does_not_count_for_a_run(
    tmp_path: Path, text: str, overrides: list[str], message: str
) -> None:
    """Each call would make other runs, and none would ever be finished."""
    folder = _folder(tmp_path / "conf", text + "\n")
    source = ConfigSource(folder, "config", [f"results_dir={tmp_path}/results", *overrides])
    if not message:
        assert load_plan(source).plan.decisions
        return
    with pytest.raises(ConfigError) as refusal:
        load_plan(source)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def _runs(folder: Path, *overrides: str) -> Any:
    return load_plan(ConfigSource(folder, "config", overrides)).plan.selection.runs


def test_numbers_of_jobs_are_refused_unless_they_do_not_count(tmp_path: Path) -> None:
    """They differ from grid to grid."""
    folder = _folder(tmp_path, "tag: {n: '${hydra:job.num}', i: 'x${hydra:job.id}'}\n")
    with pytest.raises(ConfigError, match=r"tag\.n contains the number of a job .* exclude it: "):
        _runs(folder)
    with pytest.raises(ConfigError, match=r"tag\.i contains the ID of a job"):
        _runs(folder, "+orch.identity.exclude=[tag.n]")
    runs = _runs(folder, "+orch.identity.exclude=[tag]", "lr=1,2")
    assert [run.config["tag"] for run in runs] == [
        {"n": number, "i": f"x{run.run_id}"} for number, run in enumerate(runs)
    ]


@pytest.mark.parametrize(
    "form",
    [
        "orch: {grids: [{tag: '${now:%H}'}]}",
        "orch: {grids: [{tag: 'a,${now:%H}'}, {lr: 1}]}",
        "orch: {when: {lr: 'tag == \"${now:%H}\"'}}",
        "hydra: {sweeper: {params: {tag: 'a,${now:%H}'}}}",
        "hydra: {sweeper: {params: {tag: 'a,${moment}'}}}\nmoment: ${now:%H}",
        "hydra: {mode: MULTIRUN, sweeper: {params: {tag: 'x-${now:%H}'}}}",
    ],
)
def test_time_in_a_grid_is_refused(tmp_path: Path, form: str) -> None:
    """It is resolved before there are any runs."""
    text = f"results_dir: r\nexperiment_id: e\nlr: 1\ntag: x\n{form}\n"
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"the grid contains the time .* Remove it\.$"):
        load_experiment(tmp_path, "config", ["lr=1,2"])
