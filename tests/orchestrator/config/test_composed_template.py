"""Tests of orchestrator.config.composed_template: templates say what resolving every point says."""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from orchestrator.config.grid_templates import make_templates
from orchestrator.config.load import ExperimentConfig, load_experiment
from orchestrator.errors import ConfigError, OrchestratorError
from orchestrator.grid.axes import Point
from orchestrator.grid.config_template import ConfigTemplate
from orchestrator.grid.config_values import Value
from orchestrator.grid.lazy_runs import Resolve
from orchestrator.grid.point_selection import select_runs

PRIMARY = {"results_dir": "results", "experiment_id": "oracle"}
VALUES = [0, 1, 1.0, 2.5, "b", "two words", True, None, "1", "100%", "é", 1e22]
REFERENCES = [
    *["${x}", "${n.y}", "${h.z}", "a${x}-${seed}", "${n}", "${l}", "${l.0}", "${n.${s}}", "${.z}"],
    *["${oracle_add:${seed},1}", "${oc.env:HOME}", "${oc.decode:'[${seed}]'}", "${oc.select:x,3}"],
    *[
        "${mirror}",
        "${mirror.y}",
        "${oc.dict.values:n}",
        "pre ${h.z} %b post",
        "${oc.create:{a:1}}",
    ],
]


@pytest.fixture(autouse=True, scope="module")
def _resolver() -> Any:
    """Give configs a resolver of their own to name."""
    OmegaConf.register_new_resolver("oracle_add", lambda *n: sum(map(int, n)), replace=True)
    yield
    OmegaConf.clear_resolver("oracle_add")


def _load(folder: str | Path, overrides: Sequence[str], **files: Any) -> ExperimentConfig:
    for name, content in files.items():
        path = Path(folder, name.replace("__", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return load_experiment(Path(folder), "config", list(overrides))


def _select(
    experiment: ExperimentConfig, filters: Sequence[str], resolve: Resolve, *, fast: bool
) -> Any:
    """Return everything that a selection tells, or its error."""
    span = experiment.span
    templates = make_templates(experiment.composer) if fast else [ConfigTemplate({}, {}, None)]
    try:
        found = select_runs(span, templates, resolve, filters, ["n.x", "device", "l"])
    except OrchestratorError as error:
        return str(error)
    runs = [(run.digest, dict(run.overrides), repr(dict(run.config))) for run in found.runs]
    dropped = [(item.point, item.filter) for item in found.exclusions]
    return runs, dropped, found.points, found.filters, found.warnings, found.repeats


def _resolving_once(experiment: ExperimentConfig) -> Resolve:
    """Return a function that resolves each point once, for resolving is what takes the time."""
    known: dict[str, Mapping[str, Value]] = {}

    def resolve(point: Point) -> Mapping[str, Value]:
        if repr(point) not in known:
            known[repr(point)] = experiment.composer.resolve(point)
        return known[repr(point)]

    return resolve


LEAVES = st.sampled_from([*VALUES, *REFERENCES])
SWEEPS = {
    "x": ["x=1,2,3", "x=b,1.0,'a b'", "++x=null,true", "x='100%',1", "x=1,1"],
    "seed": ["seed=range(3)", "seed=3,4", "seed=1,nan", "seed=range(0,2,0.5)"],
    "n.y": ["n.y=1,2", "n.y=b,c", "n.y='${x}',3", "+n.new=1,2", "n={x:1},{x:2}"],
    "h.z": ["h.z=1,2.5,b", "h=a,b", "h.z=null,0", "~h.z", "h.w=1,2"],
    "l": ["l.0=1,2", "l=[1],[2,3]", "device=cpu,cuda", "mirror=1,2", "n=null"],
}
FILTERS = [
    *["x == 1 ! seed == 3", "n.y != 2 ! h.z in [1, 2.5]", "seed > 2 ! seed < 9", "g == 1 ! x == 1"],
    *['mirror.y == "b" ! x != 2', 'x == "b" | n.y == x ! seed != 0', "h.w == 2 ! x == x"],
    *["l.0 == 1 ! x == 1", "r == seed ! x == 1", "seed == 3 ! x < 2", "n == mirror ! h.z == 1"],
]


def _many(examples: int) -> Any:
    return settings(
        max_examples=examples,
        phases=[Phase.generate],  # shrinking would resolve for many minutes
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@given(st.data())
@_many(15)
def test_families_say_what_resolving_every_point_says(data: st.DataObject) -> None:
    """Runs, digests, configs, exclusions, warnings, duplicates and errors are all the same."""
    _assert_agreement(data)


@pytest.mark.soak
@given(st.data())
@_many(3_000)
def test_thousands_of_families_say_what_resolving_says(data: st.DataObject) -> None:
    """The same, 3,000 times."""
    _assert_agreement(data)


def _assert_agreement(data: st.DataObject) -> None:
    node = {"defaults": [{"h": "a"}, "_self_"], **PRIMARY, "x": 1, "seed": 3, "device": "cpu"}
    node |= {"s": "y", "n": {"x": data.draw(LEAVES), "y": 2, "z": 0}, "mirror": "${n}"}
    node |= {"l": [data.draw(LEAVES), 1], "r": data.draw(LEAVES), "q": {"z": data.draw(LEAVES)}}
    options = {"z": data.draw(LEAVES), "w": data.draw(LEAVES)}
    names = data.draw(st.lists(st.sampled_from(list(SWEEPS)), min_size=1, max_size=3, unique=True))
    overrides = [data.draw(st.sampled_from(SWEEPS[name])) for name in names]
    filters = data.draw(st.lists(st.sampled_from(FILTERS), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        files = {"config": node, "h__a": options, "h__b": {"z": 1, "w": "${x}"}}
        try:
            experiment = _load(folder, overrides, **files)
        except ConfigError:
            event("refused")
            return
        resolve = _resolving_once(experiment)
        fast, slow = (_select(experiment, filters, resolve, fast=fast) for fast in (True, False))
    event("refused" if isinstance(slow, str) else "selected")
    if isinstance(slow, str):
        assert isinstance(fast, str)  # which of several faults is told first may differ
    else:
        assert repr(fast) == repr(slow)


CONFIG = {
    **PRIMARY,
    "lr": 0.1,
    "seed": 0,
    "model": {"name": "mlp", "width": 8},
    "copy": "${lr}",
    "tag": "${model.name}-${seed}",
    "again": "${model}",
}


def _template(tmp_path: Path, *overrides: str, **more: Any) -> ConfigTemplate:
    experiment = _load(tmp_path, overrides, config=CONFIG | more)
    (template,) = make_templates(experiment.composer)
    return template


def test_part_depends_on_the_axes_that_its_interpolations_lead_to(tmp_path: Path) -> None:
    """Values, copies, texts and whole nodes are traced to the axes behind them."""
    template = _template(tmp_path, "lr=1,2", "seed=range(3)", "model.width=1,2")
    assert template.parts is not None
    assert {part.path: part.axes for part in template.parts} == {
        ("lr",): (0,),
        ("seed",): (1,),
        ("model", "width"): (2,),
        ("copy",): (0,),
        ("tag",): (1,),
        ("again",): (2,),
    }
    (again,) = [part for part in template.parts if part.path == ("again",)]
    assert again.values == {(at,): {"name": "mlp", "width": at + 1} for at in (0, 1)}


@pytest.mark.parametrize("text", ["${oracle_add:1,2}", "${model.${key}}", "${oc.select:lr}"])
def test_what_cannot_be_traced_depends_on_every_axis(tmp_path: Path, text: str) -> None:
    """A resolver, or a key that is itself looked up, may lead anywhere."""
    template = _template(tmp_path, "lr=1,2", "seed=3,4", odd=text, key="width")
    assert template.parts is not None
    assert {part.path: part.axes for part in template.parts}[("odd",)] == (0, 1)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model={name:a},{name:b}", "seed=1,2"],
        ["model.name='${lr}',b", "seed=1,2"],
        ["model.name=???,b", "seed=1,2"],
    ],
)
def test_values_that_change_the_structure_make_families_of_their_own(
    tmp_path: Path, overrides: list[str]
) -> None:
    """Mappings, interpolations and missing values are applied by Hydra, one template each."""
    experiment = _load(tmp_path, overrides, config=CONFIG)
    try:
        fixed = Counter(len(f.fixed) for f in make_templates(experiment.composer))
    except ConfigError as error:
        assert "model.name has no value" in str(error)  # noqa: PT017 # the first template lacks it
    else:
        assert fixed == {1: 2}


def test_override_that_lies_across_an_axis_is_left_to_hydra(tmp_path: Path) -> None:
    """Setting a mapping around a swept value is certain for no point but the one at hand."""
    assert _template(tmp_path, "model.width=1,2", "++model={name:x}").parts is None


def test_configs_of_runs_are_resolved_when_somebody_looks(tmp_path: Path) -> None:
    """Planning a grid resolves the first point of each template, and no other."""
    experiment = _load(tmp_path, ["seed=range(5)"], config=CONFIG)
    asked = []

    def resolve(point: Any) -> Any:
        asked.append(point)
        return experiment.composer.resolve(point)

    templates = make_templates(experiment.composer)
    found = select_runs(experiment.span, templates, resolve, [])
    assert asked == []
    assert found.runs[3].config["tag"] == "mlp-3"
    assert [point.values["seed"] for point in asked] == [3]


MANY = ["x=range(20)", "seed=range(0,10,0.5)", "w=true,null,1e-5,text,'1','a b'"]


@pytest.mark.parametrize(
    "text",
    ["${x}-${seed}${w}", "${tail}${x}", "${w}${w}", "a ${x} b ${w} %b", "${oc.select:x}${w}"],
)
def test_text_of_many_values_is_what_resolving_gives(tmp_path: Path, text: str) -> None:
    """What puts texts together is not resolved thousands of times, and is the same."""
    config = {**PRIMARY, "x": 0, "seed": 0, "w": 0, "tail": "<${seed}>${w}", "d": text}
    experiment = _load(tmp_path, MANY, config=config)
    (template,) = make_templates(experiment.composer)
    (part,) = [part for part in template.parts or () if part.path == ("d",)]
    for positions in list(part.values)[::97]:
        at = dict(zip(part.axes, positions, strict=True))
        point = Point(
            {axis.key: axis.values[at.get(n, 0)] for n, axis in enumerate(experiment.axes)}
        )
        assert repr(part.values[positions]) == repr(experiment.composer.resolve(point)["d"])


def test_resolver_that_would_be_asked_for_hours_is_refused(tmp_path: Path) -> None:
    """A million combinations with unknown dependencies cannot be planned."""
    config = {**PRIMARY, "x": 0, "seed": 0, "d": "${oracle_add:${x},${seed}}"}
    experiment = _load(tmp_path, ["x=range(1000)", "seed=range(1000)"], config=config)
    with pytest.raises(ConfigError, match=r"d depends on x, seed together: 1,000,000 combinations"):
        list(make_templates(experiment.composer))
