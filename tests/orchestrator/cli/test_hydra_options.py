"""The options of a Hydra app, as its users type them."""

import pytest

from orchestrator.cli.arguments import parse_arguments
from orchestrator.errors import UsageError


@pytest.mark.parametrize(
    "words",
    [
        ["run", "-m", "a=1,2"],
        ["run", "a=1,2", "--multirun"],
        ["-m", "run", "a=1,2"],
        ["run", "a=1,2"],
    ],
)
def test_several_values_need_no_flag(words: list[str]) -> None:
    """And the flag does no harm."""
    options = parse_arguments(words)
    assert (options.command, options.overrides) == ("run", ["a=1,2"])
    assert options.multirun is ("a=1,2" not in words[1:2] or len(words) > 2)


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--config-path", "c", "--config-name", "n"],
        ["plan", "--config-path=c", "-cn", "n", "a=1"],
        ["-cp", "c", "-cn", "n", "plan"],
        ["plan", "-cd", "c", "-cn=n"],
        ["--config-dir", "c", "--config-name=n", "plan"],
    ],
)
def test_config_is_named_as_for_a_hydra_app(words: list[str]) -> None:
    """The folder is relative to the current one."""
    options = parse_arguments(words)
    assert (options.config_dir, options.config_name) == ("c", "n")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["plan", "--cfg", "job"], ("job", False, None)),
        (["run", "a=1", "-c", "all", "-p", "x"], ("all", False, "x")),
        (["-c", "job", "status", "--resolve", "--package=y"], ("job", True, "y")),
        (["plan"], (None, False, None)),
    ],
)
def test_config_is_shown_as_hydra_shows_it(
    words: list[str], shown: tuple[str | None, bool, str | None]
) -> None:
    """By every command."""
    options = parse_arguments(words)
    assert (options.cfg, options.resolve, options.package) == shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "--resolve"], "--resolve is about what --cfg prints. Add --cfg job."),
        (["plan", "-p", "x"], "--package is about what --cfg prints."),
        (
            ["run", "-m", "--cfg", "job"],
            "--cfg prints one config, and --multirun is about several.",
        ),
        (["run", "--cfg", "hydra", "--resolve"], "Use --cfg job."),
        (["run", "--cfg", "joob"], "'joob' is not one of job, hydra, all. Did you mean job?"),
        (["plan", "--info"], "--info is an option of Hydra apps that orch does not have."),
        (["plan", "-i", "searchpath"], "orch plan the runs"),
        (["plan", "--hydra-help"], "See orch --help"),
        (["run", "-sc", "install=bash"], "Hydra's shell completion"),
        (["run", "--shell-completion"], "Hydra's shell completion"),
        (["run", "--experimental-rerun", "x.pickle"], "orch rerun executes a run again."),
        (["--run", "plan"], "orch run executes every run"),
    ],
)
def test_what_has_no_meaning_here_is_refused_in_one_line(words: list[str], message: str) -> None:
    """With what to do instead."""
    with pytest.raises(UsageError) as refusal:
        parse_arguments(words)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_refused_options_are_not_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are."""
    with pytest.raises(SystemExit):
        parse_arguments(["plan", "--help"])
    shown = capsys.readouterr().out
    assert "--cfg" in shown
    assert "--multirun" in shown
    assert "--info" not in shown
