"""The placeholders of a command."""

from pathlib import Path

import pytest

from orchestrator.config.placeholders import fill_in
from orchestrator.errors import ConfigError
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
RUN = identify(CONFIG, {"optimizer.lr": 0.1, "name": "a b", "model": "mlp"})  # type: ignore[arg-type]


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


def test_overrides_are_an_argument_for_each_axis() -> None:
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
    [("x={zero}", "'x={zero}' becomes a text with a NUL"), ("{flow[0]}", "no key 'flow\\[0\\]'")],
)
def test_what_no_program_can_be_given_is_one_line(part: str, message: str) -> None:
    """Before a process is started."""
    with pytest.raises(ConfigError, match=message):
        filled(part)


def test_nul_is_found_in_any_override() -> None:
    """Behind an argument that became several, too."""
    run = identify(CONFIG, {"model": "mlp", "name": "a\0b"})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"'\{overrides\}' becomes a text with a NUL"):
        fill_in(("{overrides}",), run, Path("/results/x/training/1"))
