"""What is said once for all runs is the same for all, or refused; what is a run's own is its own."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config.command_placeholders import fill_in
from orchestrator.errors import ConfigError
from orchestrator.planning.load import ConfigSource, Planned, load_plan, open_experiment

CONFIG = {
    "defaults": [{"model": "a"}, "_self_"],
    "experiment_id": "e",
    "lr": 0.1,
    "seed": 0,
    "workers": 2,
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Return a config folder with two models, each with settings of its own."""
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/extra").mkdir()
    own = (
        "# @package _global_\nmodel: {name: %s, limit: %s}\norch: {command: [echo, %s, '${lr}']}\n"
    )
    (tmp_path / "conf/model/a.yaml").write_text(own % ("a", 0.05, "alpha"))
    (tmp_path / "conf/model/b.yaml").write_text(own % ("b", 0.5, "beta"))
    (tmp_path / "conf/extra/none.yaml").write_text("# @package _global_\n{}\n")
    (tmp_path / "conf/extra/more.yaml").write_text("# @package _global_\norch: {retries: 3}\n")
    (tmp_path / "conf/extra/other.yaml").write_text(
        "# @package _global_\norch: {command: null, entry_point: 'a:b'}\n"
    )
    config = {**CONFIG, "results_dir": str(tmp_path / "results")}
    (tmp_path / "conf/config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path / "conf"


def plan(conf: Path, *overrides: str, only: str | None = None) -> Planned:
    return load_plan(ConfigSource(conf, "config", overrides), only=only)


def commands(conf: Path, *overrides: str) -> list[tuple[str, ...]]:
    decisions = plan(conf, *overrides).plan.decisions
    return [fill_in(("never",), item.run, Path("/r")) for item in decisions]


def test_each_run_has_its_own_command(conf: Path) -> None:
    """Interpolations to axes, and choices that bring a command with them, count for each run."""
    assert commands(conf, "lr=1,2", "model=a,b") == [
        ("echo", "alpha", "1"),
        ("echo", "beta", "1"),
        ("echo", "alpha", "2"),
        ("echo", "beta", "2"),
    ]


@pytest.mark.parametrize(
    "command",
    ["[echo,'${lr}-${seed}']", "[echo,'--${lr}','${oc.select:seed}']", "'${both}'", "[a,'{lr}']"],
)
def test_commands_that_refer_to_axes_are_resolved_for_each_run(conf: Path, command: str) -> None:
    """However it refers to them: in text, through a resolver, as a whole, by placeholder."""
    both = "+both=['${lr}','${seed}']"
    found = commands(conf, "lr=1,2", "seed=3,4", both, f"++orch.command={command}")
    assert len(set(found)) == (2 if "{lr}" in command and "$" not in command else 4)
    assert all(("1" in str(each)) != ("2" in str(each)) for each in found)


@pytest.mark.parametrize(
    ("overrides", "key", "axes"),
    [
        (["results_dir='r-${lr}'"], "results_dir", "lr"),
        (["experiment_id='e-${lr}'", "seed=1,2"], "experiment_id", "lr"),
        (["experiment_id='e-${lr}-${seed}'", "seed=1,2"], "experiment_id", "seed"),
        (["experiment_id='${model.name}'", "model=a,b"], "experiment_id", "model"),
        (["+orch.workers='${workers}'", "workers=1,2"], "orch.workers", "workers"),
        (["+orch.order='cheap:${model.name}'", "model=a,b"], "orch.order", "model"),
        (["+orch.identity.exclude=['x${lr}']"], "orch.identity.exclude", "lr"),
        (["+orch.tracking.uri='${oc.select:lr}.db'"], "orch.tracking.uri", "lr"),
        (["+extra=none,more"], "orch.retries", "extra"),
        (["+extra=none,other"], "orch.command", "extra"),
        (["experiment_id='${oc.select:lr}'"], "experiment_id", "lr"),
    ],
)
def test_what_is_one_for_all_runs_may_not_follow_an_axis(
    conf: Path, overrides: list[str], key: str, axes: str
) -> None:
    """The first point's would be taken for all runs, in silence; so it is refused by name."""
    with pytest.raises(ConfigError) as refusal:
        plan(conf, "lr=1,2", *overrides)
    assert str(refusal.value).startswith(
        f"{key} must be equal for all runs, but depends on {axes}: it is "
    )
    assert "\n" not in str(refusal.value)


def test_commands_that_do_not_expand_the_grid_refuse_it_as_well(conf: Path) -> None:
    """``orch status`` looks into one folder only."""
    with pytest.raises(ConfigError, match="results_dir must be equal for all runs"):
        open_experiment(ConfigSource(conf, "config", ["lr=1,2", "results_dir='r-${lr}'"]))


@pytest.mark.parametrize("value", ["same", "'${model.limit}'", "'${oc.env:HOME}'"])
def test_what_is_the_same_at_all_points_is_fine(conf: Path, value: str) -> None:
    """A reference to a key that does not vary, or a choice that says the same."""
    planned = plan(conf, "lr=1,2", "model=b", f"experiment_id='${{oc.select:none,{'x'}}}'")
    assert planned.described.experiment_id == "x"
    assert len(plan(conf, "lr=1,2", "model=a", f"+text={value}").plan.decisions) == 2


def test_misspelt_placeholder_of_one_choice_is_told_before_anything_starts(conf: Path) -> None:
    """The key exists for the first model only."""
    with pytest.raises(ConfigError, match=r"orch\.command: the config has no key 'model\.depth'"):
        plan(conf, "model=a,b", "++orch.command=[echo,'{model.depth}']")


FILTERED: list[Any] = [
    (["_filters=['lr > ${model.limit} ! lr > 0']"], 3),
    (["_filters=['lr > ${oc.select:model.limit} ! lr > 0']"], 3),
    (["_filters='${rules}'", "+rules=['lr > ${model.limit} ! lr > 0']"], 3),
    (["_filters=['lr == ${lr} ! seed == 0']"], 6),
    (["_filters=['lr > 0.5 ! lr > ${model.limit}']"], 2),
]


@pytest.mark.parametrize("models", ["a,b", "b,a"])
@pytest.mark.parametrize(("overrides", "excluded"), FILTERED)
def test_filters_that_refer_to_what_varies_count_for_each_point(
    conf: Path, models: str, overrides: list[str], excluded: int
) -> None:
    """Each point is judged by its own texts, in whatever order the choices stand."""
    given = [f"model={models}", "lr=0.01,0.1,0.9", *(f"+{each.lstrip('+')}" for each in overrides)]
    selection = plan(conf, *given).plan.selection
    assert len(selection.exclusions) == excluded
    assert sum(item.excluded for item in selection.filters) == excluded


def test_choices_bring_filters_of_their_own(conf: Path) -> None:
    """Two experiments in one grid keep what each of them keeps alone."""
    for name, limit in (("x", 2), ("y", 1)):
        text = f"# @package _global_\n_filters: ['seed >= {limit} ! seed > 0']\n"
        (conf / f"extra/{name}.yaml").write_text(text)

    def kept(choice: str) -> list[Any]:
        decisions = plan(conf, f"+extra={choice}", "seed=range(4)").plan.decisions
        return [tuple(item.run.overrides.values()) for item in decisions]

    assert len(kept("x")) == 2
    assert len(kept("y")) == 1
    # The experiment is not part of the run ID: equal configs are one run.
    assert kept("x,y") == [("x", 0), ("x", 1)]
    assert kept("y,x") == [("y", 0), ("x", 1)]


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        ('model == "b"', 2),
        ('model != "b"', 2),
        ('model in ["b", "c"]', 2),
        ('model.name == "b"', 2),
        ("model == model.name", 4),
        ('model == "b" & lr > 1', 1),
    ],
)
def test_choices_can_be_named_as_the_table_shows_them(
    conf: Path, condition: str, chosen: int
) -> None:
    """A group is compared with text by the name of its choice, in ``--only`` and in filters."""
    assert len(plan(conf, "model=a,b", "lr=1,2", only=condition).plan.decisions) == chosen
    text = condition.replace('"', '\\"')
    found = plan(conf, "model=a,b", "lr=1,2", f'+_filters=["{text} ! seed == 0"]').plan
    assert len(found.selection.exclusions) == chosen
    assert found.selection.warnings == ()


def test_group_without_a_node_of_its_own_can_be_named(conf: Path) -> None:
    """The choice of a group whose configs are global stands nowhere in the config."""
    assert len(plan(conf, "+extra=none", "seed=1,2", only='extra == "none"').plan.decisions) == 2
