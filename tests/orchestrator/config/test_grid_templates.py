"""Tests of orchestrator.config.grid_templates: grids with unions, pairs and conditions."""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from orchestrator.config.grid_templates import make_templates
from orchestrator.config.load import ExperimentConfig, load_experiment
from orchestrator.errors import OrchestratorError
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.identity import identify
from orchestrator.grid.point_selection import Selection, select_runs

PRIMARY = {
    "defaults": [{"optimizer": "sgd"}, {"model": "mlp"}, "_self_"],
    "results_dir": "results",
    "experiment_id": "grids",
    "seed": 0,
    "lr": 0.1,
    "width": 8,
    "label": "${optimizer.name}-${seed}-${width}",
    "double": "${width}",
    "deep": {"x": 1, "y": "${lr}"},
}
FILES: dict[str, Any] = {
    "config": PRIMARY,
    "optimizer/sgd": {"name": "sgd", "momentum": "???"},
    "optimizer/adam": {"name": "adam", "beta": 0.9},
    "model/mlp": {"name": "mlp", "depth": 2},
    "model/cnn": {"name": "cnn", "depth": "${seed}", "kernel": 3},
}
SGD = 'optimizer == "sgd"'


@pytest.fixture(scope="module")
def folder() -> Any:
    """Return a config folder, written once."""
    with tempfile.TemporaryDirectory() as name:
        for path, content in FILES.items():
            file = Path(name, f"{path}.yaml")
            file.parent.mkdir(exist_ok=True)
            file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        yield Path(name)


def _load(folder: Path, *overrides: str, **forms: Any) -> ExperimentConfig:
    """Load with these forms of the grid, given on the command line."""
    typed = [f"orch.{name}={_typed(value)}" for name, value in forms.items()]
    return load_experiment(folder, "config", [*overrides, *typed])


def _typed(value: Any) -> str:
    """Return a value in Hydra's grammar."""
    match value:
        case dict():
            return "{" + ",".join(f"{key}:{_typed(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_typed, value)) + "]"
        case str():
            return "'" + value.replace("'", "\\'") + "'"
    return str(value)


def _select(experiment: ExperimentConfig, *filters: str) -> Selection:
    templates = make_templates(experiment.composer)
    return select_runs(experiment.span, templates, experiment.composer.resolve, filters)


def _points(selection: Selection) -> list[dict[str, Any]]:
    return [dict(run.overrides) for run in selection.runs]


def _alone(folder: Path, point: dict[str, Any]) -> str:
    """Return the run ID of a point that is named singly, as Hydra composes it."""
    return identify(_hydra(folder, tuple(f"{key}={it}" for key, it in point.items())), {}).run_id


@functools.cache
def _hydra(folder: Path, overrides: tuple[str, ...]) -> Any:
    """Return the config that Hydra composes, once per list of overrides: this is what takes the time."""
    with initialize_config_dir(str(folder), version_base=None):
        return OmegaConf.to_container(compose("config", [*overrides]), resolve=True)


def test_axis_with_a_condition_varies_only_where_it_holds(folder: Path) -> None:
    """Elsewhere the config keeps its value, or even lacks the key, and no run is named twice."""
    experiment = _load(
        folder,
        "seed=0,1",
        "optimizer=sgd,adam",
        "optimizer.momentum=0,0.9",
        when={"optimizer.momentum": SGD},
    )
    found = _select(experiment)
    assert _points(found) == [
        {"seed": 0, "optimizer": "sgd", "optimizer.momentum": 0},
        {"seed": 0, "optimizer": "sgd", "optimizer.momentum": 0.9},
        {"seed": 0, "optimizer": "adam"},
        {"seed": 1, "optimizer": "sgd", "optimizer.momentum": 0},
        {"seed": 1, "optimizer": "sgd", "optimizer.momentum": 0.9},
        {"seed": 1, "optimizer": "adam"},
    ]
    assert (found.points, found.duplicates) == (6, 0)
    assert [run.run_id for run in found.runs] == [_alone(folder, it) for it in _points(found)]


def test_axis_with_one_value_may_have_a_condition(folder: Path) -> None:
    """It is set where the condition holds."""
    experiment = _load(
        folder, "optimizer=sgd,adam", "optimizer.momentum=0.9", when={"optimizer.momentum": SGD}
    )
    assert _points(_select(experiment)) == [
        {"optimizer": "sgd", "optimizer.momentum": 0.9},
        {"optimizer": "adam"},
    ]


def test_group_may_have_a_condition_and_other_axes_depend_on_it(folder: Path) -> None:
    """Conditions apply in the order in which they need each other, however they are written."""
    experiment = _load(
        folder,
        "model.kernel=3,5",
        "model=mlp,cnn",
        "seed=0,1",
        "optimizer=adam",
        when={"model.kernel": 'model.name == "cnn"', "model": "seed > 0"},
    )
    assert _points(_select(experiment)) == [
        {"model.kernel": 3, "model": "cnn", "seed": 1},
        {"model.kernel": 5, "model": "cnn", "seed": 1},
        {"model": "mlp", "seed": 1},
        {"seed": 0},
    ]


def test_condition_is_judged_without_its_own_axis(folder: Path) -> None:
    """What depends on the axis has the value of the config, not one that the axis would set."""
    experiment = _load(
        folder,
        "optimizer=adam",
        "width=1,16",
        "seed=0,1",
        when={"width": "double == 8 & seed == 1"},
    )
    assert _points(_select(experiment)) == [
        {"width": 1, "seed": 1},
        {"width": 16, "seed": 1},
        {"seed": 0},
    ]


def test_zipped_axes_vary_together(folder: Path) -> None:
    """Of the product, only the pairs are points; a pair may have a condition."""
    experiment = _load(
        folder,
        "optimizer=adam",
        "model=mlp,cnn",
        "seed=1,2",
        "lr=0.1,0.2",
        zip=[["model", "lr"]],
    )
    assert _points(_select(experiment)) == [
        {"model": "mlp", "lr": 0.1, "seed": 1},
        {"model": "mlp", "lr": 0.1, "seed": 2},
        {"model": "cnn", "lr": 0.2, "seed": 1},
        {"model": "cnn", "lr": 0.2, "seed": 2},
    ]


def test_zipped_axes_share_a_condition(folder: Path) -> None:
    """Named for one of them, it holds for all."""
    experiment = _load(
        folder,
        "optimizer=adam",
        "seed=0,1",
        "lr=0.1,0.2",
        "width=1,2",
        zip=[["lr", "width"]],
        when={"width": "seed == 1"},
    )
    assert _points(_select(experiment)) == [
        {"seed": 0},
        {"seed": 1, "lr": 0.1, "width": 1},
        {"seed": 1, "lr": 0.2, "width": 2},
    ]


def test_union_of_grids_has_each_run_once(folder: Path) -> None:
    """Grids have the common axes and their own; what an earlier one names is a duplicate."""
    experiment = _load(
        folder,
        "seed=0,1",
        grids=[
            {"optimizer": "sgd", "optimizer.momentum": "0,0.9"},
            {"optimizer": "adam", "+extra": "1,2"},
            {"optimizer": "sgd", "optimizer.momentum": "0.9,0.99"},
        ],
    )
    found = _select(experiment, 'optimizer == "adam" ! seed == 1')
    assert [(it.points, it.runs, it.duplicates, it.excluded) for it in found.grids] == [
        (4, 4, 0, 0),
        (4, 2, 0, 2),
        (4, 2, 2, 0),
    ]
    assert (found.points, found.duplicates, found.overlaps, len(found.runs)) == (12, 2, 2, 8)
    assert found.repeats == {}
    adam = [run for run in found.runs if run.overrides["optimizer"] == "adam"]
    assert [run.config["extra"] for run in adam] == [1, 2]
    for run in found.runs:
        typed = {f"+{key}" if key == "extra" else key: it for key, it in run.overrides.items()}
        assert run.run_id == _alone(folder, typed)


def test_command_line_wins_over_every_grid(folder: Path) -> None:
    """Key by key, as over hydra.sweeper.params."""
    grids = [{"optimizer": "adam", "lr": "1,2"}, {"optimizer": "adam", "width": "1,2"}]
    found = _select(_load(folder, "lr=3", grids=grids))
    assert [(run.config["lr"], run.config["width"]) for run in found.runs] == [
        (3, 8),
        (3, 1),
        (3, 2),
    ]


def test_no_grids_are_as_if_none_were_written(folder: Path) -> None:
    """An empty list, or null, turns off what the config declares."""
    for nothing in ("[]", "null"):
        experiment = load_experiment(folder, "config", ["lr=1,2", f"orch.grids={nothing}"])
        assert [axis.key for axis in experiment.axes] == ["lr"]


@pytest.mark.parametrize(
    ("forms", "why"),
    [
        ({"zip": [["lr", "seed"]]}, r"orch.zip pairs lr \(2 values\), seed \(3 values\)"),
        ({"zip": [["lr", "sed"]]}, "orch.zip names 'sed', which is not an axis .* mean 'seed'"),
        ({"zip": [["lr"]]}, "orch.zip is not a list of lists"),
        ({"zip": [["lr", "seed"], ["seed", "width"]]}, "orch.zip names 'seed' twice"),
        ({"when": {"sed": "lr > 0"}}, "orch.when names 'sed', which is not an axis"),
        ({"when": {"seed": "lr >"}}, "orch.when.seed, character 5"),
        ({"when": {"seed": "seed > 1"}}, "the condition of seed reads seed"),
        (
            {"when": {"seed": "lr > 1", "lr": "seed > 1"}},
            "the condition of seed reads lr reads seed",
        ),
        ({"when": {"seed": 3}}, "orch.when.seed is not a string"),
        ({"when": [1]}, "orch.when is not a mapping"),
        ({"grids": {"lr": 1}}, "orch.grids is not a list of grids"),
        ({"grids": [{"lr": [1, 2]}]}, "orch.grids, grid 1: lr is not a string"),
        ({"grids": [{"orch.workers": 1}]}, "orch.workers cannot be an axis"),
        ({"grids": [{"hydra.verbose": "true"}]}, "not an axis"),
        ({"grids": [{"width": "1,2"}], "zip": [["width", "lr"], ["x", "y"]]}, "names 'x'"),
        (
            {"grids": [{"width": "1,2"}, {"w": "1"}], "zip": [["width", "lr"]]},
            r"orch.grids, grid 2: orch.zip pairs width \(no value\), lr \(2 values\)",
        ),
        (
            {"zip": [["lr", "seed"]], "when": {"lr": "width > 1", "seed": "width > 2"}},
            "have different conditions",
        ),
        ({"when": {"seed": "widht > 1"}}, "no point has the key 'widht'. Did you mean 'width'"),
        ({"when": {"seed": 'width > "a"'}}, "have no order"),
    ],
)
def test_wrong_form_is_refused_with_what_to_do(folder: Path, forms: Any, why: str) -> None:
    """Each in one message, which names the setting."""
    with pytest.raises(OrchestratorError, match=why):
        _select(_load(folder, "optimizer=adam", "lr=1,2", "seed=0,1,2", **forms))


AXES = {
    "optimizer": ["sgd", "adam"],
    "model": ["mlp", "cnn"],
    "seed": [0, 1, 2],
    "lr": [0.1, 1, "text"],
    "width": [8, 16],
    "deep.x": [1, 2],
}
CONDITIONS = [
    *[
        SGD,
        'model.name == "cnn"',
        "seed > 0",
        "lr == 0.1 | seed == 2",
        "double == 8",
        "deep.y == 1",
    ],
    *["width == 16 & seed != 1", 'label == "sgd-1-8"', "model.kernel == 3", "deep.x == 2"],
]


def _many(examples: int) -> Any:
    return settings(
        max_examples=examples,
        phases=[Phase.generate],  # shrinking would compose for many minutes
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@given(data=st.data())
@_many(10)
def test_points_are_those_that_brute_force_finds(data: st.DataObject, folder: Path) -> None:
    """Every combination of positions is tried; what the conditions allow is composed by Hydra alone."""
    _assert_agreement(data, folder)


@pytest.mark.soak
@given(data=st.data())
@_many(300)
def test_points_of_hundreds_of_grids_are_those_of_brute_force(
    data: st.DataObject, folder: Path
) -> None:
    """The same, 300 times."""
    _assert_agreement(data, folder)


def _assert_agreement(data: st.DataObject, folder: Path) -> None:
    keys = data.draw(st.lists(st.sampled_from(list(AXES)), min_size=1, max_size=3, unique=True))
    axes = {key: AXES[key] for key in keys}
    order = data.draw(st.permutations(keys))
    when = {
        key: data.draw(st.sampled_from(CONDITIONS))
        for key in order[: data.draw(st.integers(0, len(keys)))]
    }
    pairs = (
        [["width", "deep.x"]]
        if {"width", "deep.x"} <= set(keys) and data.draw(st.booleans())
        else []
    )
    pairs = [] if {"width", "deep.x"} & set(when) else pairs
    overrides = [f"{key}={','.join(map(str, values))}" for key, values in axes.items()]
    overrides += ["++optimizer.momentum=0"]
    forms = {"zip": pairs, "when": when}
    try:
        found = _select(_load(folder, *overrides, **{k: v for k, v in forms.items() if v}))
    except OrchestratorError as error:
        assert "reads" in str(error) or "no point has the key" in str(error)  # noqa: PT017 # a cycle
        event("refused")
        return
    expected = _brute_force(folder, axes, when, pairs)
    event("compared")
    assert [dict(run.overrides) for run in found.runs] == [it for it, _ in expected]
    assert [run.run_id for run in found.runs] == [run_id for _, run_id in expected]


def _brute_force(
    folder: Path, axes: dict[str, list[Any]], when: dict[str, str], pairs: list[list[str]]
) -> list[tuple[dict[str, Any], str]]:
    order = _order(list(axes), when)
    found: list[tuple[dict[str, Any], str]] = []
    positions = [
        [*range(len(values)), *([None] if key in when else [])] for key, values in axes.items()
    ]
    for at in itertools.product(*positions):
        point = {key: axes[key][it] for key, it in zip(axes, at, strict=True) if it is not None}
        if any(len({at[list(axes).index(key)] for key in pair}) > 1 for pair in pairs):
            continue
        if all(_holds(folder, point, key, when, order) is (key in point) for key in when):
            typed = {**point, "++optimizer.momentum": 0}
            ordered = {key: point[key] for key in _shown(list(axes), pairs) if key in point}
            found.append((ordered, _alone(folder, typed)))
    ids = [run_id for _, run_id in found]
    return [it for at, it in enumerate(found) if ids.index(it[1]) == at]


def _shown(keys: list[str], pairs: list[list[str]]) -> list[str]:
    """Return the keys with each pair where its first one stands."""
    shown: list[str] = []
    for key in keys:
        pair = next((pair for pair in pairs if key in pair), [key])
        shown += [it for it in keys if it in pair and it not in shown] if key not in shown else []
    return shown


def _order(keys: list[str], when: dict[str, str]) -> list[str]:
    waiting, order = [key for key in keys if key in when], []
    while waiting:
        ready = next(
            key
            for key in waiting
            if not any(
                f"{read}.".startswith(f"{other}.")
                for other in waiting
                for read in parse_condition(when[key]).keys
            )
        )
        waiting.remove(ready)
        order.append(ready)
    return order


def _holds(
    folder: Path,
    point: dict[str, Any],
    key: str,
    when: dict[str, str],
    order: list[str],
) -> bool:
    """Return whether the condition of an axis holds at a point without it, and without those after it."""
    left_out = order[order.index(key) :]
    typed = [f"{it}={value}" for it, value in point.items() if it not in left_out]
    config = _hydra(folder, (*typed, "++optimizer.momentum=0"))
    choices = {
        name: next((it.partition("=")[2] for it in typed if it.startswith(f"{name}=")), default)
        for name, default in (("optimizer", "sgd"), ("model", "mlp"))
    }
    return parse_condition(when[key]).holds(config, choices)
