"""Tests of orchestrator.config.load; Hydra is the oracle.

Random config folders meet random overrides of every kind: values, lists, mappings, quoted text,
``choice()``, ``range()``, ``glob()``, ``interval()``, casts, ``sort()``, ``tag()``; keys that are
set, added (``+``), set or added (``++``), removed (``~``) or missing; group choices, packages, nested
and optional defaults, overrides in defaults lists; interpolations between axes, groups and lists,
resolvers, ``oc.env``, ``???``; given on the command line or in ``hydra.sweeper.params``.
"""

import contextlib
import functools
import itertools
import os
import pickle
import random
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.core_plugins.importlib_resources_config_source import (
    ImportlibResourcesConfigSource,
)
from hydra._internal.core_plugins.structured_config_source import StructuredConfigSource
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import HealthCheck, Phase, event, given, seed, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from thinning import others_in_soak

from orchestrator.config.load import load_experiment
from orchestrator.errors import ConfigError, GridError, OrchestratorError
from orchestrator.grid.axes import expand

PRIMARY = {"results_dir": "results", "experiment_id": "oracle"}


@pytest.fixture(autouse=True, scope="module")
def _resolver() -> Any:
    """Give configs a resolver of their own to name."""
    OmegaConf.register_new_resolver("oracle_add", lambda *numbers: sum(map(int, numbers)))
    yield
    OmegaConf.clear_resolver("oracle_add")


def _write(folder: Path, files: Any) -> Any:
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        path.write_text(text, encoding="utf-8")
    return Path(folder)


def _ours(folder: Path, overrides: list[str]) -> Any:
    """Return the configs of some points; None where refused."""
    try:
        experiment = load_experiment(folder, "config", overrides)
        return [experiment.composer.resolve(point) for point in _some(expand(experiment.axes))]
    except OrchestratorError as error:
        assert "\n" not in str(error)  # noqa: PT017 # every refusal is one line
        return None


def _read_grid(given: list[str]) -> Any:
    """Return the grid in the file as Hydra reads it: from a config composed with what is fixed.

    None where that cannot be composed: the defaults may not go together without the grid.
    """
    try:
        parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(
            given
        )
    except HydraException:
        return None
    fixed = [item for item in parsed if not item.is_sweep_override()]
    choices = [item for item in fixed if item.key_or_group in ("g", "h")]
    swept = [item for item in parsed if item.is_sweep_override()]
    # The default of a swept group need not go together with the rest: its first value does.
    firsts = [
        f"{item.get_key_element()}={next(iter(item.sweep_string_iterator()), '')}"
        for item in swept
        if item.key_or_group in ("g", "h") and item.is_discrete_sweep()
    ]
    # A value need not go together with a default that is swept over.
    for these in (fixed, choices)[: 1 + (choices != fixed)]:
        for first in ([], firsts)[: 1 + bool(firsts)]:
            # ValueError for h=null, TypeError for h=[1,2], RecursionError for defaults that contain
            # themselves.
            with contextlib.suppress(HydraException, TypeError, ValueError, RecursionError):
                return _params([*(item.input_line for item in these), *first])
    return None


def _hydras(given: list[str], grid: Any) -> Any:
    """Return what Hydra makes of these points, written as its own sweeper writes it."""
    try:
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        overrides = [*(f"{key}={value}" for key, value in grid.items()), *given]
        swept = [
            [f"{item.get_key_element()}={text}" for text in item.sweep_string_iterator()]
            if item.is_sweep_override()
            else [item.input_line]
            for item in parser.parse_overrides(overrides)
        ]
        return [
            OmegaConf.to_container(
                compose("config", list(lines)), resolve=True, throw_on_missing=True
            )
            for lines in _some(itertools.product(*swept))
        ]
    except Exception:  # noqa: BLE001 # whatever Hydra raises, it is a refusal
        return None


def _params(overrides: list[str]) -> Any:
    params = compose("config", overrides, return_hydra_config=True).hydra.sweeper.params
    return {key: params[key] for key in params}


@contextlib.contextmanager
def _oracle(folder: Path) -> Any:
    """Have Hydra compose from a folder; it reads each file once, or it would do little else."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Hydra's advice about defaults lists
        for source in (FileConfigSource, ImportlibResourcesConfigSource, StructuredConfigSource):
            patch.setattr(source, "load_config", _reading_once(source.load_config))
        with initialize_config_dir(str(folder), version_base=None):
            yield


def _reading_once(load: Any) -> Any:
    known: dict[Any, Any] = {}

    @functools.wraps(load)
    def load_config(source: Any, config_path: str) -> Any:
        found = known if isinstance(source, FileConfigSource) else _OF_HYDRA
        key = source.path, config_path
        if key not in found:
            found[key] = pickle.dumps(load(source, config_path))
        return pickle.loads(found[key])  # noqa: S301 # what was written two lines above

    return load_config


_OF_HYDRA: dict[Any, Any] = {}


def _some(points: Any) -> Any:
    """Pick the first and the last, for Hydra takes its time with each."""
    found = list(points)
    return [found[at] for at in sorted({0, len(found) - 1})]


def _assert_agreement(files: Any, declared: Any, cases: Any) -> list[Any]:
    """Compare on one folder, each of the cases a list of overrides; return what Hydra makes of them."""
    text = yaml.safe_dump({"hydra": {"sweeper": {"params": declared}}}) if declared else ""
    with tempfile.TemporaryDirectory() as name:
        folder = _write(Path(name), files | {"config.yaml": files["config.yaml"] + text})
        with _oracle(folder):
            grids = [_read_grid(overrides) if declared else {} for overrides in cases]
            hydras = [
                _hydras(overrides, declared if grid is None else grid)
                for overrides, grid in zip(cases, grids, strict=True)
            ]
        ours = [_ours(folder, overrides) for overrides in cases]
    for overrides, mine, its, grid in zip(cases, ours, hydras, grids, strict=True):
        if mine is None and grid is None:
            continue  # Hydra's own sweeper refuses it; where we do not, the points have to be Hydra's
        assert (mine is None) == (its is None), overrides
        if mine is not None:
            # As text: types and the order of keys count as well, and NaN is NaN.
            assert repr(mine) == repr(its), overrides
    return hydras


KEYS = ["x", "y", "z"]
PATHS = [*KEYS, "n.x", "n.y", "g.x", "g.y", "h.x", "h.z", "l.0", "g.deep.x"]
RARE_PATHS = ["new", "k.x", "l", "n", "g", "h", "n.new", "g.deep"]
SCALARS = st.sampled_from(
    [0, 1, 2.5, "text", "a b", True, None, "1", "", 1e-05, "a,b", "\\${x}", "-\\\\\\${x}"]
)
# x may refer to y and z, y to z: cycles are refused by themselves, and would be all there is.
TO_Z = ["${z}", "${seed}", "${n.z}", "${h.z}", "${.z}", "${..z}", "${oc.env:HOME}", "a${z}${seed}"]
TO_Y = [
    *[
        "${y}",
        "${.y}",
        "${..y}",
        "${g.y}",
        "${h.y}",
        "pre_${y}_${h.z}",
        "${g.${s}}",
        "${l}",
        "${l.0}",
    ],
    *["${oc.env:ORACLE_UNSET,7}", "${oc.decode:'[1,2]'}", "${oc.select:no,3}", "${h.deep}"],
    *["${oracle_add:${seed},1}", "${oc.dict.keys:n}", "${oc.create:{x:1}}", "${.y}-${seed}"],
]
REFUSED = ["???", "${hydra.job.name}", "${unknown:1}", "${nothing}", "${x}"]
# Under orch and _filters: always text, whatever it refers to.
TEXTS = st.sampled_from(
    [
        "plain",
        "--s=${seed}",
        "-${n.z}-",
        "\\${x}",
        "\\\\${seed}.",
        "\\\\\\${x}",
        "{x}",
        "a${h.z}${seed}",
    ]
)
FLAT = st.fixed_dictionaries({"x": SCALARS, "z": SCALARS})
NODES = st.fixed_dictionaries(
    {
        "x": SCALARS | st.sampled_from(TO_Z + TO_Y),
        "y": SCALARS | st.sampled_from(TO_Z),
        "z": SCALARS,
    }
)
LISTS = st.lists(SCALARS, min_size=1, max_size=3)
HEADERS = st.sampled_from(
    [""] * 6 + ["# @package _global_\n", "# @package n\n", "# @package k.x\n"]
)
DEFAULTS = [
    {"g@k": "b"},
    {"h@g.deep": "c"},
    {"optional g": "gone"},
    {"h": ["a", "c"]},
    {"h": "${g}"},
    {"h": "???"},
    {"g": None},
    {"override h": "c"},
]


def _name(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


@st.composite
def _options(draw: st.DrawFn, defaults: st.SearchStrategy[Any] | None = None) -> str:
    """Return the text of a config in a group."""
    content = {**draw(NODES), "deep": draw(FLAT)}
    if draw(st.integers(0, 3)) == 0:
        content["_filters"] = [f"y == {draw(TEXTS)} ! z == 1"]
    chosen = draw(defaults) if defaults is not None else None
    if chosen is not None:
        content = {"defaults": chosen, **content}
    return str(draw(HEADERS)) + yaml.safe_dump(content, sort_keys=False)


@st.composite
def _trees(draw: st.DrawFn) -> dict[str, str]:
    """Return the files of a config folder: a primary config, two groups, and how they are chosen."""
    inner = st.sampled_from(
        [None] * 8
        + [
            [{"override /h@_global_.h": "b"}],
            [{"override /h": "b"}],
            [{"/h@deep": "a"}, "_self_"],
            ["b"],
            ["_self_"],
        ]
    )
    files = {f"g/{name}.yaml": draw(_options(inner)) for name in "ab"}
    files |= {f"h/{name}.yaml": draw(_options()) for name in "abc"}
    chosen: list[Any] = [{"g": "a"}, {"h": "b"}]
    extra = draw(st.sampled_from([None] * 12 + DEFAULTS))
    if extra is not None:
        name = next(iter(extra)).split()[-1]
        keep = [item for item in chosen if name not in item or "override" in next(iter(extra))]
        chosen = [*keep, extra]
    last = len(chosen) - ("override" in str(chosen))
    chosen.insert(draw(st.integers(0, last)), "_self_")
    primary = {"defaults": chosen, **PRIMARY, "seed": 3, "s": draw(st.sampled_from(["y", "z"]))}
    primary |= {**draw(NODES), "n": draw(NODES), "l": draw(LISTS)}
    odd = draw(st.sampled_from([None] * 15 + REFUSED))
    primary |= {"z": odd} if odd else {}
    primary["orch"] = {"workers": 2, "command": ["echo", draw(TEXTS), draw(TEXTS)]}
    primary["_filters"] = draw(st.lists(TEXTS.map("x == {} ! x == 1".format), max_size=2))
    files["config.yaml"] = yaml.safe_dump(primary, sort_keys=False)
    return files


VALUES = st.sampled_from(
    [
        "1",
        "2.5",
        "text",
        "null",
        "true",
        "'1'",
        "'a b'",
        '"it\'s"',
        "[1,2]",
        "[]",
        "{x:1}",
        "{}",
        "${z}",
        "'${seed}'",
        "${n}",
        "a\\,b",
        "1e-5",
        "''",
        "???",
        "{y:{x:[1,'2']}}",
        "str(3)",
        "int('7')",
        "a:b",
        "nan",
        "[${z},b]",
        "0.1",
        "-3",
        "word",
        "7",
        "0",
    ]
)
SWEPT = st.sampled_from(
    ["1,2", "a,b", "'1',1", "choice(1,foo)", "range(3)", "range(0,1,0.5)", "[1],[2,3]", "a,1.0", "{x:1},{y:2}", "null,true", "str(1),str(2)", "sort(3,1,2)", "${z},${seed}", "'a,b',\"c'd\"", "choice('${s}',2)", "str([1,2]),x", "tag(t,choice(1,2))", "???,1", "a b,c", "str(choice(1,2))", "0.1,1e-3", "'\\${x}','\\\\\\${y}'", "'a\\${x}',${z}", "'\\${l}',1", "1,1", "true,false", "1,2,3", "x,y,z"]
)  # fmt: skip
KINDS = st.sampled_from([""] * 8 + ["++", "++", "+"])
GROUPS = ["g=a", "g=b", "h=a,b", "g=a,b", "h=b,c", "g=glob(*)", "h=glob([a,b],exclude=b)", "h=c"]
RARE = [
    "+h=c",
    "+h@new=a,b",
    "+h@n.new=a,c",
    "h@k=a,b",
    "+g@_global_.q=a,b",
    "h@g.deep=a,c",
    "~g",
    "~h=b",
    "~n.x,1",
    "++new.deep=1,2",
    "+x=1,2",
    "++l=[1],'\\${x}'",
    "+g@new=b",
    "g@k=a,b",
    "~g@k",
    "~h",
    "h=[a,b]",
    "h=gone",
    "g=a,gone",
    "h@g.deep=a",
    "++g=a",
    "h='b'",
    "h=null",
    "g={x:1},{x:2}",
    "experiment_id=other",
    "gg=a",
    "hydra.job.name=me",
    "hydra.nothing=1",
    "x=",
    "x",
    "=1",
    "x=[",
    "n.x.y=1",
    "l=[1],[2]",
    "x=interval(0,1)",
]
ANY_PATH = st.sampled_from(PATHS * 3 + RARE_PATHS)
OVERRIDES = st.one_of(
    st.builds("{}{}={}".format, KINDS, ANY_PATH, VALUES),
    st.builds("{}{}={}".format, KINDS, ANY_PATH, SWEPT),
    st.builds("{}={}".format, st.sampled_from(PATHS), SWEPT),
    st.sampled_from(GROUPS),
    st.sampled_from([*(GROUPS * 3), *RARE, "~z", "~n.y", "~g.y", "~z=1", "~l", "+new=1,2", "~n"]),
)


# In the file: values for keys and groups that are mostly there, as people write them.
DECLARED = st.dictionaries(
    st.sampled_from(["x", "n.y", "g.x", "seed", "++n.new", "h.z"]), SWEPT, max_size=1
) | st.sampled_from([{"g": "a,b"}, {"h": "glob(*)"}, {"g": "b", "h": "b,c"}])


@st.composite
def _cases(draw: st.DrawFn) -> Any:
    """Return the files of a folder, the grid in it, and some lists of overrides."""
    declared = draw(st.just({}) | st.just({}) | DECLARED)
    # A swept key that is given again: here the last counts, Hydra multiplies both.
    taken = [_name(key) for key in declared]
    overrides = st.lists(OVERRIDES, max_size=3, unique_by=_name)
    drawn = draw(st.lists(overrides, min_size=5, max_size=5))
    cases = [[item for item in case if _name(item) not in taken] for case in drawn]
    return draw(_trees()), declared, cases


def _compare_generated(folders: int, chosen: int) -> None:
    """Compare on this many folders; a seed chooses which."""

    @seed(chosen)
    @settings(
        # Not shrunk: that would compose for many minutes, and the folder is small enough to read.
        max_examples=folders,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_cases())
    def compare(cases: Any) -> None:
        for its in _assert_agreement(*cases):
            event("refused" if its is None else f"{min(len(its), 2)} or more points")

    compare()


@pytest.mark.parametrize("part", others_in_soak(range(2), [0]), ids="part {}".format)
def test_any_config_resolves_to_what_hydra_composes(part: int) -> None:
    """40 cases, five a folder, give Hydra's config at every point, or its refusal."""
    _compare_generated(3, part)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(100), ids="part {}".format)
def test_thousands_of_configs_resolve_to_what_hydra_composes(part: int) -> None:
    """The same, 10,000 times, in parts of 100; others each time, unless ORACLE_SEED is set."""
    chosen = int(os.environ.get("ORACLE_SEED") or random.SystemRandom().randrange(10**6))
    again = os.environ["PYTEST_CURRENT_TEST"].removesuffix(" (call)")
    print(f"again: ORACLE_SEED={chosen} pytest -m soak '{again}'")
    _compare_generated(20, 100 * chosen + part)


def _tied_to_a_default() -> dict[str, str]:
    """Return a folder whose defaults go together only if another ``g`` or ``h`` is chosen."""
    primary = {
        "defaults": ["_self_", {"g": "a"}, {"h": "b"}],
        **PRIMARY,
        "seed": 3,
        "x": 0,
        "z": "t",
    }
    return {
        "config.yaml": yaml.safe_dump(primary, sort_keys=False),
        "g/a.yaml": "defaults:\n- override /h@_global_.h: b\ny: 1\n",
        "g/b.yaml": "y: 2\n",
        "h/a.yaml": "# @package _global_\nz: of a\n",
        "h/b.yaml": "# @package _global_\nz: of b\n",
    }


@pytest.mark.parametrize(
    ("axis", "is_refused"),
    [
        ("h=glob([a,b],exclude=b)", False),
        ("h=b,a", False),
        ("h=choice(a)", False),
        ("g=b", False),
        ("g=b,b", False),
        ("g=b,a", True),
        ("x=1,2", True),
    ],
)
@pytest.mark.parametrize("more", [[], ["x=[1],[2,3]"], ["x=5"]])
def test_grid_in_the_file_is_read_with_the_first_value_where_the_default_does_not_fit(
    axis: str, more: list[str], *, is_refused: bool
) -> None:
    """A default that is swept over need not go together with the others: its values have to."""
    declared = {"seed": "${z},${seed}"}
    (its,) = _assert_agreement(_tied_to_a_default(), declared, [[axis, *more]])
    assert (its is None) is is_refused


def test_values_in_the_file_refer_to_the_first_choice_where_the_default_does_not_fit(
    tmp_path: Path,
) -> None:
    """Read once for all points, as Hydra reads them."""
    files = _tied_to_a_default()
    files["config.yaml"] += "hydra: {sweeper: {params: {seed: '${z},${seed}'}}}\n"
    experiment = _experiment(tmp_path, ["h=glob([a,b],exclude=b)"], **files)
    configs = [experiment.composer.resolve(point) for point in expand(experiment.axes)]
    assert [(config["seed"], config["z"]) for config in configs] == [("of a", "of a"), (3, "of a")]


KINDS_OF_AXES = {
    "an axis of escaped interpolations": r"[a-z.]+=.*\\\$\{.*,",
    "an added axis": r"\+\w.*,",
    "an axis set or added": r"\+\+.*,",
    "an axis in a package": r"[+]?[gh]@[\w.]+=\w+,",
    "an added group in a package, as an axis": r"\+[gh]@[\w.]+=\w+,",
    "something removed": "~",
    "an axis of interpolations": r"\w+=\$\{\w+\},",
}
KINDS_OF_FILES = {
    "an interpolation under orch": r"command:\n  - echo\n(  - .*\n)?  - .*\$\{",
    "an escaped one under orch": r"command:\n  - echo\n(  - .*\n)?  - .*\\\$\{",
    "filters": r"(?m)^_filters:\n",
    "filters of a choice": r"(?m)\A(?!.*results_dir)[^\0]*^_filters:\n- .*\$\{",
}


def test_every_kind_of_axis_and_place_is_compared() -> None:
    """A comparison says something only about what is generated: all of these are."""
    seen: set[str] = set()

    @seed(1)
    @settings(max_examples=100, phases=[Phase.generate], database=None)
    @given(_cases())
    def look(cases: Any) -> None:
        files, _, lists = cases
        for override in itertools.chain(*lists):
            seen.update(name for name, kind in KINDS_OF_AXES.items() if re.match(kind, override))
        for text in files.values():
            seen.update(name for name, kind in KINDS_OF_FILES.items() if re.search(kind, text))

    look()
    assert seen == {*KINDS_OF_AXES, *KINDS_OF_FILES}


def _experiment(tmp_path: Path, overrides: list[str] = (), **files: Any) -> Any:
    config = {"config.yaml": {**PRIMARY, "lr": 0.1, "seed": 0}}
    return load_experiment(_write(tmp_path, config | files), "config", list(overrides))


def _points(experiment: Any) -> Any:
    return [dict(point.values) for point in expand(experiment.axes)]


def _resolve_all(tmp_path: Path, overrides: list[str]) -> None:
    experiment = _experiment(tmp_path, overrides, **GRID)
    for point in expand(experiment.axes):
        experiment.composer.resolve(point)


GRID = {
    "config.yaml": {
        "defaults": [{"model": "mlp"}, {"training": "single"}, "_self_"],
        **PRIMARY,
        "lr": 0.1,
        "seed": 0,
    },
    "model/mlp.yaml": {"name": "Mlp", "width": 8},
    "model/cnn.yaml": {"name": "Cnn", "depth": 2},
    "training/single.yaml": "# @package _global_\n{}\n",
    "training/grid.yaml": "# @package _global_\n"
    + yaml.safe_dump({"hydra": {"sweeper": {"params": {"model": "mlp,cnn", "seed": "range(2)"}}}}),
}


def test_grid_of_the_file_comes_first_and_the_command_line_adds_to_it(tmp_path: Path) -> None:
    """Axes keep the order in which they are written, the file's before the command line's."""
    experiment = _experiment(tmp_path, ["training=grid", "lr=1,2"], **GRID)
    assert [(axis.key, axis.values) for axis in experiment.axes] == [
        ("model", ("mlp", "cnn")),
        ("seed", (0, 1)),
        ("lr", (1, 2)),
    ]


@pytest.mark.parametrize(
    ("override", "axes"),
    [
        ("seed=5,6,7", [("model", ("mlp", "cnn")), ("seed", (5, 6, 7))]),
        ("seed=5", [("model", ("mlp", "cnn"))]),
        ("model=cnn", [("seed", (0, 1))]),
        ("++seed=7,8", [("model", ("mlp", "cnn")), ("seed", (7, 8))]),
    ],
)
def test_command_line_wins_over_the_file_key_by_key(
    tmp_path: Path, override: Any, axes: Any
) -> None:
    """An axis that is given again takes the new values, in its old place."""
    experiment = _experiment(tmp_path, ["training=grid", override], **GRID)
    assert [(axis.key, axis.values) for axis in experiment.axes] == axes
    for point in expand(experiment.axes):
        config = experiment.composer.resolve(point)
        assert config["seed"] in (0, 1, 5, 6, 7, 8)
        assert ("depth" in config["model"]) == (config["model"]["name"] == "Cnn")


def test_value_set_for_a_key_of_one_choice_only_is_refused_at_the_other(tmp_path: Path) -> None:
    """What Hydra refuses at one point is refused, and the message offers to add the key."""
    experiment = _experiment(tmp_path, ["model=cnn,mlp", "model.depth=3"], **GRID)
    cnn, mlp = expand(experiment.axes)
    assert experiment.composer.resolve(cnn)["model"]["depth"] == 3
    with pytest.raises(ConfigError, match=r"cannot override 'model.depth'.*\+model.depth="):
        experiment.composer.resolve(mlp)


def test_swept_choice_fills_in_a_group_that_has_none(tmp_path: Path) -> None:
    """A group left open (???) is chosen by its axis; the experiment's name may depend on it."""
    files = {
        "config.yaml": {
            "defaults": [{"model": "???"}, "_self_"],
            "results_dir": "results",
            "experiment_id": "of-${model.name}",
        },
        "model/mlp.yaml": {"name": "mlp"},
    }
    assert _experiment(tmp_path, ["model=mlp"], **files).experiment_id == "of-mlp"
    assert _experiment(tmp_path, ["model=glob(*)"], **files).experiment_id == "of-mlp"
    with pytest.raises(
        ConfigError, match=r"model has no choice \(\?\?\?\). Choose one, model=mlp, or"
    ):
        _experiment(tmp_path, [], **files)


def test_everything_that_is_read_for_all_runs_arrives(tmp_path: Path) -> None:
    """Name, folder, filters and settings are values, resolved."""
    config = {
        "results_dir": "${oc.env:ORACLE_UNSET,out}",
        "experiment_id": "a-${lr}",
        "lr": 1,
        "_filters": ["lr > 1 ! lr > 2"],
        "orch": {"workers": 3},
    }
    experiment = load_experiment(_write(tmp_path, {"config.yaml": config}), "config", [])
    assert experiment.experiment_id == "a-1"
    assert experiment.results_dir == Path("out")
    assert experiment.filters == ("lr > 1 ! lr > 2",)
    assert experiment.settings.share.workers == 3


def test_config_names_and_folders_may_be_others(tmp_path: Path) -> None:
    """The primary config need not be called config."""
    folder = _write(tmp_path, {"other.yaml": {**PRIMARY, "experiment_id": "x"}})
    assert load_experiment(folder, "other", []).experiment_id == "x"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["lrr=1"],
            "cannot override 'lrr': there is no such key. Did you mean 'lr'? To add a key, write +lrr=...",
        ),
        (["lrr=1,2"], "cannot override 'lrr': there is no such key. Did you mean 'lr'?"),
        (["model=resnet"], "there is no config 'model/resnet'. Choose one of cnn, mlp."),
        (["model=mpl"], "Did you mean 'mlp'?"),
        (["modle=mlp"], "cannot override 'modle': there is no such key. Did you mean 'model'?"),
        (["lr=interval(0,1)"], "a continuous range cannot be enumerated. Use choice(...)"),
        (["lr=range(0,0)"], "axis 'lr' has no values"),
        (["lr=["], "'lr=[' is not an override: "),
        (["lr"], "'lr' is not an override: "),
        (["+lr=1"], "An item is already at 'lr'"),
        (["~nothing"], "Could not delete from config. 'nothing' does not exist"),
        (["lr=${nothing}"], "lr: Interpolation key 'nothing' not found"),
        (
            ["lr=???"],
            "lr has no value (???). Set it on the command line, lr=..., or make it an axis",
        ),
        (["hydra.nothing=1"], "hydra.nothing"),
        (["hydra.job.name=a,b"], "Sweeping over Hydra's configuration is not supported"),
        (
            ["experiment_id=a,b"],
            "experiment_id cannot be an axis, since it must be equal for all runs",
        ),
        (["results_dir=a,b"], "results_dir cannot be an axis, since it must be equal for all runs"),
        (["experiment_id=a/b"], "experiment_id 'a/b' cannot be the name of a folder"),
        (["experiment_id=null"], "the config has no experiment_id"),
        (["results_dir=''"], "the config has no results_dir"),
        (["+_filters=5"], "_filters is not a list of strings"),
        (["+_filters=[a,5]"], "_filters, number 2: 5 is not a string"),
        (["+_filters=[null]"], "_filters, number 1: null is not a string"),
        (["+_filters=[{a:1}]"], '_filters, number 1: {"a": 1} is not a string'),
        (["experiment_id='" + "é" * 200 + "'"], "cannot be the name of a folder"),
        (["experiment_id=' '"], "experiment_id ' ' cannot be the name of a folder"),
        (["experiment_id=.."], "experiment_id '..' cannot be the name of a folder"),
        (["experiment_id='~'"], "experiment_id '~' cannot be the name of a folder"),
        (["results_dir=" + "x" * 4096], "is too long a name"),
        (["lr=" + "[" * 100], "the override 'lr=' is nested too deeply"),
        (["lr=range(1000000000)"], "lr=range(1000000000): it has more than 200,000 values"),
        (
            ["lr=range(10000)", "seed=range(10000)"],
            "the grid has 100,000,000 points (lr 10,000, seed 10,000): the maximum is 10,000,000",
        ),
        (["results_dir='./~/x'"], "would create a folder named '~'"),
        (["results_dir='~nobody-of-that-name/x'"], "there is no such user"),
        (["experiment_id=mlflow.db"], "is the name of an MLflow file"),
        (["experiment_id=mlflow.db-wal"], "is the name of an MLflow file"),
        (["experiment_id=mlartifacts"], "is the name of an MLflow file"),
        (
            ["model={nme:x}"],
            "cannot override 'model.nme': there is no such key. Did you mean 'model.name'?",
        ),
        (["lr=choice(1,2),3"], "lr=choice(1,2),3: choice(...), range(...) and other sweeps cannot"),
        (["lr=[1],range(3)"], "cannot be combined with other values. Write one choice(...)"),
        (["lr='${hydra:nothing}'"], "lr: orch has no ${hydra:nothing}; write the value"),
        (["+orch.worker=5"], "orch has no setting 'worker'. Did you mean 'workers'?"),
    ],
)
def test_what_is_wrong_with_an_override_is_said_in_one_line(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    """The message quotes the override and says what would be right."""
    with pytest.raises((ConfigError, GridError)) as refusal:
        _resolve_all(tmp_path, overrides)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: [1\nb: 2", "config.yaml, line 2, column 2: expected ',' or ']', but got ':'"),
        (b"a: 1\na: 2", "config.yaml, line 2, column 1: found duplicate key a"),
        (
            b"a:\n\tb: 1",
            "config.yaml, line 2, column 1: found character '\\t' that cannot start any token. Write spaces in place of the tab.",
        ),
        (
            b"a: x\0y",
            "config.yaml: the character U+0000 at position 4 is not allowed in YAML. Remove it, or write it in",
        ),
        (
            b'a: "\x1b[31m"',
            "config.yaml: the character U+001B at position 4 is not allowed in YAML. ",
        ),
        (b"\xff\xfe\x00", "config.yaml: the file is not UTF-8"),
        (b"- 1\n- 2", "the primary config 'config' is not a mapping"),
        (b"5", "the config file is not a mapping"),
        (b"", "the config has no experiment_id. Set it to a name for the experiment, or add --app"),
        (b"defaults: 3", "defaults must be a list"),
        (b"defaults: [gone]", "there is no config"),
        (b"a: ${", "a"),
        (b"a: {~: 1}", "config.yaml: a key is null, a list or a mapping (NoneType)."),
        (b"null: 1", "config.yaml: a key is null"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    """The message names the file and the place."""
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(ConfigError) as refusal:
        load_experiment(tmp_path, "config", [])
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_missing_folder_and_missing_config_are_told_apart(tmp_path: Path) -> None:
    """Each has its own remedy."""
    with pytest.raises(ConfigError, match=r"there is no config folder .* --config-dir"):
        load_experiment(tmp_path / "gone", "config", [])
    with pytest.raises(ConfigError, match="there is no config 'config' in the config folder"):
        load_experiment(tmp_path, "config", [])
    (tmp_path / "config.yaml").write_text("lr: 1")
    with pytest.raises(
        ConfigError, match=r"'confg'. Choose one of config. Did you mean 'config'\?"
    ):
        load_experiment(tmp_path, "confg", [])
    with pytest.raises(
        ConfigError,
        match=r"no config 'other' in the config folder, and no module .* The folder has config: choose one",
    ):
        load_experiment(tmp_path, "other", [])


def test_config_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A folder in place of a file, or an unreadable file, causes no traceback."""
    (tmp_path / "config.yaml").mkdir()
    with pytest.raises(ConfigError):
        load_experiment(tmp_path, "config", [])


def test_what_a_config_says_of_hydra_is_checked_by_hydra(tmp_path: Path) -> None:
    """Only the grid is read without Hydra's own settings; a slip there is refused all the same."""
    files = {"config.yaml": {**PRIMARY, "hydra": {"sweper": {"params": {"a": "1,2"}}}}}
    with pytest.raises(ConfigError, match="sweper"):
        _experiment(tmp_path, **files)
    files = {"config.yaml": {**PRIMARY, "a": 0, "hydra": {"sweeper": {"params": {"a": None}}}}}
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.params\.a"):
        _experiment(tmp_path, **files)


def test_configs_may_set_up_hydra_besides_the_grid(tmp_path: Path) -> None:
    """Settings of Hydra's own change nothing, and the grid beside them is found."""
    hydra = {"run": {"dir": "x"}, "sweeper": {"params": {"seed": "1,2"}}}
    experiment = _experiment(tmp_path, **{"config.yaml": {**PRIMARY, "seed": 0, "hydra": hydra}})
    assert _points(experiment) == [{"seed": 1}, {"seed": 2}]
    assert experiment.composer.resolve(next(expand(experiment.axes))) == {**PRIMARY, "seed": 1}


def test_searchpath_finds_groups_in_another_folder(tmp_path: Path) -> None:
    """Hydra's search path reaches configs that are kept elsewhere."""
    _write(tmp_path / "more", {"model/big.yaml": {"name": "Big"}})
    path = f"hydra.searchpath=[file://{tmp_path}/more]"
    experiment = _experiment(tmp_path / "conf", [path, "model=big,mlp"], **GRID)
    names = [experiment.composer.resolve(p)["model"]["name"] for p in expand(experiment.axes)]
    assert names == ["Big", "Mlp"]


def test_grid_in_the_file_may_refer_to_what_the_command_line_sets(tmp_path: Path) -> None:
    """As Hydra reads it: with the values that the command line fixes, and not those it sweeps."""
    text = "results_dir: r\nexperiment_id: e\nbase: 1\nlr: 0\nhydra: {sweeper: {params: {lr: '${base},5'}}}\n"
    (tmp_path / "config.yaml").write_text(text)
    for typed, values in ((["base=3"], (3, 5)), ([], (1, 5)), (["base=7,8"], (1, 5))):
        axes = load_experiment(tmp_path, "config", typed).axes
        assert {axis.key: axis.values for axis in axes}["lr"] == values
