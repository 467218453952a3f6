"""The placeholders of a command."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.command_placeholders import ARGUMENTS, fill_in
from orchestrator.errors import ConfigError
from orchestrator.grid.config_values import Value
from orchestrator.grid.identity import identify

CONFIG = {
    "optimizer": {"lr": 0.1, "betas": [0.9, 0.99]},
    "name": "a b",
    "flag": True,
    "none": None,
    "flow": {"a": 1},
    "learning-rate": 0.5,
    "élan": {"lr-decay": 7},
    "zero": "a\0b",
}
OVERRIDES = ("optimizer.lr=0.1", "name='a b'", "model=mlp")
RUN = replace(identify(CONFIG, {}), hydra_overrides=OVERRIDES)  # type: ignore[arg-type]


def filled(*parts: str) -> tuple[str, ...]:
    return fill_in(parts, RUN, Path("/results/x/training/1"))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("{run_dir}/config.yaml", "/results/x/training/1/config.yaml"),
        ("--id={run_id}", f"--id={RUN.run_id}"),
        ("--lr={optimizer.lr}", "--lr=0.1"),
        ("{name}", "a b"),
        ("{flag} {none}", "true null"),
        ("{optimizer.betas}", "[0.9, 0.99]"),
        ("{flow}", '{"a": 1}'),
        ("{{name}} {name}", "{name} a b"),
        ("awk {print} {{print}}", None),
        ('{"json": {"a": 1}}', '{"json": {"a": 1}}'),
        ("{learning-rate} {élan.lr-decay}", "0.5 7"),
        ("{1..5} {a,b} {{a,b}} {x-y}", "{1..5} {a,b} {{a,b}} {x-y}"),
        ("${HOME} { x } {1}", "${HOME} { x } {1}"),
    ],
)
def test_placeholders_are_filled_and_other_braces_stay(part: str, text: str | None) -> None:
    """A value is written as a program expects it."""
    if text is None:
        with pytest.raises(ConfigError, match="no key 'print'"):
            filled(part)
    else:
        assert filled(part) == (text,)


def test_overrides_are_an_argument_each() -> None:
    """For programs with Hydra's grammar; within a longer argument they are one text."""
    assert filled("train.py", "{overrides}", "-v") == (
        "train.py",
        "optimizer.lr=0.1",
        "name='a b'",
        "model=mlp",
        "-v",
    )
    assert filled("x {overrides}") == ("x optimizer.lr=0.1 name='a b' model=mlp",)


def test_unknown_key_is_one_line_with_the_nearest() -> None:
    """It says how to write the text itself."""
    with pytest.raises(ConfigError) as refusal:
        filled("{optimizer.rl}")
    assert "Did you mean {optimizer.lr}?" in str(refusal.value)
    assert "{{optimizer.rl}}" in str(refusal.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("x={zero}", "'x={zero}' becomes an argument that contains a NUL"),
        ("{flow[0]}", "no key 'flow\\[0\\]'"),
    ],
)
def test_what_no_program_can_be_given_is_one_line(part: str, message: str) -> None:
    """Before a process is started."""
    with pytest.raises(ConfigError, match=message):
        filled(part)


def test_nul_is_found_in_any_override() -> None:
    """Behind an argument that became several, too."""
    run = replace(RUN, hydra_overrides=("model=mlp", "name='a\0b'"))
    with pytest.raises(
        ConfigError, match=r"'\{overrides\}' becomes an argument that contains a NUL"
    ):
        fill_in(("{overrides}",), run, Path("/results/x/training/1"))


@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        ("{--flag?flag}", ("--flag",)),
        ("{--none?none}", ()),
        ("{--off?off}", ()),
        ("{-v?empty}", ()),
        ("{--name?name}", ("--name",)),
        ("{--zero?none.x}", None),
        ("{optimizer.betas*}", ("0.9", "0.99")),
        ("{none*}", ()),
        ("{name*}", ("a b",)),
        ("{empty*}", ()),
        ("{nothing*}", None),
        ("x{--flag?flag}", ("x{--flag?flag}",)),
        ("{config}", ("/results/x/training/1/config.yaml",)),
        ("{optimizer.lr?}", ("{optimizer.lr?}",)),
    ],
)
def test_arguments_that_may_vanish_or_be_several(
    part: str, arguments: tuple[str, ...] | None
) -> None:
    """A flag is there or not, a list is one argument for each value."""
    run = identify({**CONFIG, "off": False, "empty": []}, {})  # type: ignore[dict-item]
    if arguments is None:
        with pytest.raises(ConfigError, match=r"orch\.arguments: the config has no key"):
            fill_in((part,), run, Path("/results/x/training/1"), ARGUMENTS)
    else:
        assert fill_in((part,), run, Path("/results/x/training/1"), ARGUMENTS) == arguments


def test_key_of_the_config_goes_before_a_placeholder_that_came_later() -> None:
    """A config may have had a key named config before ``{config}`` was there."""
    run = identify({"config": "mine"}, {})
    assert fill_in(("{config}",), run, Path("/r")) == ("mine",)


def test_run_has_arguments_of_its_own() -> None:
    """What stands under orch in the run's config counts, as text; for our own trainer it does not."""
    own: dict[str, Value] = {"command": ["a", "{lr}", 1, True], "arguments": ["b"]}
    run = identify({"lr": 2, "orch": own}, {})
    assert fill_in(("x",), run, Path("/r")) == ("a", "2", "1", "true")
    assert fill_in(("x",), run, Path("/r"), ARGUMENTS) == ("x",)
    run = identify({"lr": 2, "orch": {**own, "entry_point": "m:f"}}, {})
    assert fill_in(("x",), run, Path("/r"), ARGUMENTS) == ("b",)


def test_gpus_are_those_of_each_run() -> None:
    """One where nothing is set; a key of that name goes before it."""
    assert filled("--nproc-per-node={gpus}") == ("--nproc-per-node=1",)
    assert fill_in(("{gpus}",), identify({"orch": {"gpus_per_run": None}}, {}), Path("/r")) == (
        "1",
    )
    assert fill_in(("{gpus}",), identify({"orch": {"gpus_per_run": 2}}, {}), Path("/r")) == ("2",)
    run = identify({"gpus": "mine", "orch": {"gpus_per_run": 2}}, {})
    assert fill_in(("{gpus}",), run, Path("/r")) == ("mine",)
