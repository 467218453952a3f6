"""Overrides span axes, and Hydra composes exactly the config of a run from those of its point."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from thinning import others_in_soak

from orchestrator.config.hydra_composition import ConfigFolder
from orchestrator.config.load import load_experiment
from orchestrator.config.overrides import as_override, choose, make_axis, merge, name_of
from orchestrator.errors import GridError
from orchestrator.grid.axes import expand, point_at

FILES = {
    "config.yaml": """
defaults: [_self_, model: mlp, db@main: lite, optional data: null]
results_dir: results
experiment_id: x
lr: 0.1
steps: 10
name: plain
layers: [1, 2]
nested: {a: 1, b: {c: two}}
computed: ${nested.a}-${lr}
empty:
seed: ???
orch: {command: [python, train.py, "{overrides}"]}
""",
    "model/mlp.yaml": "kind: mlp\nwidth: 8\n",
    "model/cnn.yaml": "kind: cnn\ndepth: ${steps}\n",
    "db/lite.yaml": "driver: lite\n",
    "db/big.yaml": "driver: big\nport: 5432\n",
    "data/digits.yaml": "size: 10\n",
}
VALUES = [
    *["0.5", "'0.5'", '"0.5"', "1", "'1'", "1.0", "1e-3", "-3", "+4", "1_000", ".5", "5.", "0x10"],
    *["true", "True", "'true'", "null", "'null'", "inf", "-inf", "nan", "''", "", "yes", "1.2.3"],
    *["text", "with-dash_", "a/b", "a b", "'a, b'", r"'it\'s'", '"it\'s"', r"'a\\'"],
    *[
        "a\\,b",
        "a\\=b",
        "'a=b'",
        "'{a}'",
        "'[1]'",
        "$x",
        "a@b",
        "a:b",
        "50%",
        "'né'",
        "'日本'",
        "'~'",
    ],
    *[
        "[]",
        "[1,2]",
        "['1',2.0,null,true]",
        "[a b,'c,d']",
        "[[1],[2]]",
        "{}",
        "{a:1}",
        "{a:'1',b:[x]}",
    ],
    *["{a\\ b:1}", "{1:x,true:y,1.5:w}", "{a:{b:{c:null}}}", "'a\tb'", "'a\nb'", "'{{a}}'"],
    *["${lr}", "'${lr}'", "pre-${name}", "'${oc.env:HOME}'", "${nested.b.c}", "[${lr},'${name}']"],
    *[r"'\${lr}'", "'${nested}'", "int(3.7)", "float(3)", "str(0.5)", "bool(1)"],
    *["'a  b '", "' lead'", "a\\\\b", "'a\\b'", "'\\\\'", "2020-01-01", "'# no comment'"],
]


def _folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return path


def _check(folder: Path, overrides: list[str]) -> list[tuple[str, ...]]:
    """Compare with Hydra, and return the overrides of each point."""
    experiment = load_experiment(folder, "config", overrides)
    points = [experiment.composer.conceal(point) for point in expand(experiment.axes)]
    with initialize_config_dir(str(folder), version_base=None):
        for point in points:
            its: Any = OmegaConf.to_container(
                compose("config", list(point.hydra_overrides)), resolve=True, throw_on_missing=True
            )
            mine = {k: v for k, v in point.resolved.items() if k not in ("orch", "_filters")}
            del its["orch"]
            # As text: types and the order of keys count as well, and NaN is NaN.
            assert repr(mine) == repr(its)
    return [tuple(point.hydra_overrides) for point in points]


@pytest.mark.parametrize("text", others_in_soak(VALUES, VALUES[::4]))
def test_value_reaches_the_program_with_its_type(tmp_path: Path, text: str) -> None:
    """As a fixed value, and as one of an axis."""
    folder = _folder(tmp_path, FILES)
    assert _check(folder, ["seed=1", f"++new={text}"])[0] == ("seed=1", f"++new={text}")
    found = _check(folder, ["seed=1", f"++new={text or repr('')},other"])
    assert found[1] == ("seed=1", "++new=other")


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        (["lr=0.5"], ["lr=0.5"]),
        (["lr='0.5'"], ["lr='0.5'"]),
        (["+extra=[1, 2]"], ["+extra=[1, 2]"]),
        (["++lr=1", "~name"], ["++lr=1", "~name"]),
        (["~layers"], ["~layers"]),
        (["model=cnn", "model.depth=3"], ["model=cnn", "model.depth=3"]),
        (["db@main=big", "data=digits"], ["db@main=big", "data=digits"]),
        (["+db@other=big"], ["+db@other=big"]),
        (["~model"], ["~model"]),
        (["nested.b={c: 3}"], ["nested.b={c: 3}"]),
        (["name=caf\\ ete"], ["name=caf\\ ete"]),
        (["name=a", "name=b"], ["name=a", "name=b"]),
        (
            ["hydra.run.dir=x", "hydra/job_logging=none"],
            ["hydra.run.dir=x", "hydra/job_logging=none"],
        ),
        (["orch.workers=2", "+orch.threads=1", "+_filters=['lr == 1 ! lr == 2']"], []),
        (
            [
                "hydra.mode=MULTIRUN",
                "hydra/sweeper=basic",
                "hydra.sweep.dir=x",
                "hydra/launcher=basic",
            ],
            [],
        ),
        (["results_dir=r", "experiment_id=e"], ["results_dir=r", "experiment_id=e"]),
        (["+results_dir=r", "++experiment_id=e"], ["++results_dir=r", "++experiment_id=e"]),
    ],
)
def test_override_with_one_value_is_passed_as_it_was_typed(
    tmp_path: Path, typed: list[str], passed: list[str]
) -> None:
    """Also those of groups, packages, additions and deletions; never those for orch and for grids."""
    assert _check(_folder(tmp_path, FILES), ["seed=1", *typed]) == [("seed=1", *passed)]


def test_axes_and_the_fixed_values_of_the_file_are_passed(tmp_path: Path) -> None:
    """In the order in which they are applied, and the command line takes precedence."""
    grid = (
        "hydra: {sweeper: {params: {lr: '0.1,0.2', +fixed: \"'3'\", model: 'cnn,mlp', steps: 7}}}\n"
    )
    files = {**FILES, "config.yaml": FILES["config.yaml"] + grid}
    found = _check(_folder(tmp_path, files), ["steps=9", "seed=1", "name='x','1'"])
    assert found[0] == ("lr=0.1", "+fixed='3'", "model=cnn", "steps=9", "seed=1", "name=x")
    assert found[-1] == ("lr=0.2", "+fixed='3'", "model=mlp", "steps=9", "seed=1", "name='1'")
    assert len(found) == 8


def test_name_that_the_program_does_not_have_is_not_passed(tmp_path: Path) -> None:
    """What was added for orch is not the program's."""
    primary = FILES["config.yaml"].replace("results_dir: results\n", "")
    folder = _folder(tmp_path, {**FILES, "config.yaml": primary})
    experiment = load_experiment(folder, "config", ["seed=1", "+results_dir=r", "experiment_id=e"])
    (point,) = expand(experiment.axes)
    assert experiment.composer.conceal(point).hydra_overrides == ("seed=1", "experiment_id=e")


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        ("+db_password=hunter2", "+db_password='${oc.env:ORCH_VALUE_DB_PASSWORD}'"),
        ("+pin_password=1234", "+pin_password='${oc.decode:${oc.env:ORCH_VALUE_PIN_PASSWORD}}'"),
        ("+a={password:hunter2,b:1}", "+a={password:'${oc.env:ORCH_VALUE_A__PASSWORD}',b:1}"),
        ("+api_key='${oc.env:MY_KEY}'", "+api_key='${oc.env:MY_KEY}'"),
    ],
)
def test_secret_is_passed_as_a_reference(
    tmp_path: Path, typed: str, passed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of processes shows arguments, and Hydra writes overrides to disk."""
    monkeypatch.setenv("MY_KEY", "sesame")
    experiment = load_experiment(_folder(tmp_path, FILES), "config", ["seed=1", typed])
    (point,) = expand(experiment.axes)
    concealed = experiment.composer.conceal(point)
    assert concealed.hydra_overrides == ("seed=1", passed)
    for name, value in concealed.environment.items():
        monkeypatch.setenv(name, value)
    with initialize_config_dir(str(tmp_path), version_base=None):
        its: Any = OmegaConf.to_container(
            compose("config", [*concealed.hydra_overrides]), resolve=True
        )
    assert repr(its) == repr(dict(concealed.resolved))


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
# Of keys, Hydra's grammar has no quotes, so it reads 1 and null as no strings.
KEYS = st.text("ab1_- .:,={}[]()\\\t$%", max_size=6).map("k{}".format)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(ANYTHING)
def test_any_value_is_written_as_hydra_reads_it(value: Any) -> None:
    """Texts of any characters, numbers, lists and mappings, with their types."""
    (override,) = OverridesParser.create().parse_overrides([as_override("key", value)])
    assert repr(override.value()) == repr(value)


PARSER = OverridesParser.create()


def parse(*texts: str) -> list[Any]:
    return PARSER.parse_overrides(list(texts))


def written(overrides: Any) -> list[str]:
    return [override.input_line for override in overrides]


@pytest.fixture
def folder(tmp_path: Path) -> ConfigFolder:
    """Return a folder with an empty config."""
    (tmp_path / "config.yaml").write_text("{}\n")
    return ConfigFolder(tmp_path, "config")


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        (["lr=1,2", "seed=0"], [], ["lr=1,2", "seed=0"]),
        (["lr=1,2", "seed=0"], ["lr=3"], ["lr=3", "seed=0"]),
        (["lr=1"], ["seed=2"], ["lr=1", "seed=2"]),
        ([], ["seed=1", "seed=2"], ["seed=1", "seed=2"]),
        ([], ["lr=1", "lr=2,3"], ["lr=2,3"]),
        # What the file adds is added with the new value.
        (["+extra=1"], ["extra=2"], ["+extra=2"]),
        (["~extra"], ["extra=2"], ["extra=2"]),
    ],
)
def test_command_line_takes_precedence_key_by_key(
    declared: list[str], given: list[str], expected: list[str]
) -> None:
    assert written(merge(parse(*declared), parse(*given))) == expected


@pytest.mark.parametrize(
    ("text", "name"), [("a.b=1", "a.b"), ("+a=1", "a"), ("++a=1", "a"), ("~a", "a")]
)
def test_name_is_without_a_sign(text: str, name: str) -> None:
    assert name_of(parse(text)[0]) == name


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lr=0.1,1e-3", (0.1, 0.001)),
        ("seed=range(3)", (0, 1, 2)),
        ("x=a,'b c',null,true", ("a", "b c", None, True)),
        ("x=[1,2],{a:1}", ([1, 2], {"a": 1})),
    ],
)
def test_swept_override_spans_an_axis(
    folder: ConfigFolder, text: str, values: tuple[Any, ...]
) -> None:
    assert make_axis(parse(text)[0], folder).values == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("results_dir=a,b", "results_dir cannot be an axis"),
        ("orch.workers=1,2", r"orch\.workers cannot be an axis"),
        ("orch.command=[a],[b]", r"run ID\. Add .* refer to it: 'orch\.command=\$\{given\}'\.$"),
        ("+orch.arguments=[a],[b]", "orch.arguments cannot be an axis, since it is not part of"),
        ("lr=interval(0,1)", "a continuous range cannot be enumerated"),
        ("seed=range(2000000)", "more than 200,000 values"),
        ("db.password=hunter2,swordfish", "it looks like a credential"),
    ],
)
def test_sweep_that_cannot_be_an_axis_is_refused(
    folder: ConfigFolder, text: str, message: str
) -> None:
    with pytest.raises(GridError, match=message):
        make_axis(parse(text)[0], folder)


def test_point_has_one_value_of_each_sweep(folder: ConfigFolder) -> None:
    swept, plain = parse("x=a,'b c'", "y=1")
    point = point_at([make_axis(swept, folder)], 1)
    assert written([choose(swept, point), choose(plain, point)]) == ["x='b c'", "y=1"]
