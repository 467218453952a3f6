"""What Hydra, OmegaConf and YAML refuse is one line that says what to do; bugs are let through."""

import errno
import os

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader

from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.shell_quoting import quoted_override
from orchestrator.errors import ConfigError


def said(error: Exception, *keys: str) -> str:
    """Return the line for an error."""
    with pytest.raises(ConfigError) as caught, refusals_of_hydra(lambda: keys):
        raise error
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_mandatory_value_is_asked_for() -> None:
    with (
        pytest.raises(
            ConfigError, match=r"lr has no value .*Set it on the command line, lr=\.\.\."
        ),
        refusals_of_hydra(),
    ):
        _ = OmegaConf.create({"lr": "???"}).lr


def test_missing_choice_is_named_with_the_nearest_one() -> None:
    error = MissingConfigException("", "model/resnte", ["cnn", "resnet"])
    assert said(error) == (
        "there is no config 'model/resnte'. Choose one of cnn, resnet. Did you mean 'resnet'?"
    )


def test_unknown_key_is_named_with_the_nearest_one() -> None:
    text = said(ConfigCompositionException("Could not override 'model.widht'."), "model.width", "x")
    assert "there is no such key. Did you mean 'model.width'?" in text
    assert "write +model.widht=..." in text


def test_cause_is_part_of_the_line_once() -> None:
    error = ConfigCompositionException("In 'config'")
    error.__cause__ = ValueError("no such\n  file")
    assert said(error) == "In 'config': no such file."
    error.__cause__ = ValueError("In 'config'.")
    assert said(error) == "In 'config'."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("primary config 'x' must be a DictConfig, got ListConfig", "the primary config 'x'"),
        ("Invalid loaded object type: int", "the config file"),
    ],
)
def test_file_of_another_form_is_described_without_names_of_classes(text: str, what: str) -> None:
    assert said(OSError(text)) == (
        f"{what} is not a mapping. Write it as keys with values: key: value."
    )


def test_place_in_a_file_is_named() -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.safe_load("a: [1,\nb: 2")
    assert "line 2, column 5: expected" in said(caught.value)


def test_file_that_cannot_be_read_is_named() -> None:
    error = OSError(errno.EACCES, os.strerror(errno.EACCES), "conf/config.yaml")
    assert said(error) == "conf/config.yaml: Permission denied."


def test_secret_in_a_quoted_value_is_not_repeated() -> None:
    text = said(
        ConfigCompositionException("Override token=hunter2 looks like a config group override")
    )
    assert "hunter2" not in text


def test_control_characters_of_a_message_are_not_printed() -> None:
    assert said(ValueError("\x1b[2Jgone")).isprintable()


def test_long_message_is_cut() -> None:
    assert len(said(ValueError("x" * 10_000))) < 500


def test_bug_in_other_code_is_let_through() -> None:
    with pytest.raises(KeyError), refusals_of_hydra():
        raise KeyError("a bug")


def test_config_that_refers_to_itself_is_one_line() -> None:
    assert "refers to itself" in said(RecursionError())


def _resolving(text: str) -> str:
    with pytest.raises(ConfigError) as caught, refusals_of_hydra():
        OmegaConf.to_container(OmegaConf.create({"a": {"b": text}}), resolve=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unset_variable_says_where_it_can_be_set() -> None:
    assert _resolving("${oc.env:NOBODY_SET_THIS}") == (
        "a.b: the environment variable NOBODY_SET_THIS is not set. Set it, name a file with it"
        " (orch.env_file=.env) or a module that sets it (orch.setup), or write a default:"
        " ${oc.env:NOBODY_SET_THIS,...}."
    )


def test_unknown_resolver_says_how_to_register_it() -> None:
    assert _resolving("${nobody_registered_this:1}") == (
        "a.b: Unsupported interpolation type nobody_registered_this. Name the module that registers"
        " it: orch.setup=[package.module]."
    )


@pytest.mark.parametrize(
    ("config", "package"),
    [
        ("hydra/sweeper/optuna", "hydra-optuna-sweeper"),
        ("hydra/launcher/joblib", "hydra-joblib-launcher"),
        ("hydra/job_logging/colorlog", "hydra-colorlog"),
    ],
)
def test_missing_plugin_is_named_with_its_package(config: str, package: str) -> None:
    assert f"(pip install {package})" in said(MissingConfigException("", config, ["basic"]))


def test_templates_of_omegaconf_are_left_out() -> None:
    error = ConfigCompositionException("Error merging override x=a")
    error.__cause__ = ValueError("Value 'a' is wrong\n    reference_type=DB")
    error.__cause__.__cause__ = ValueError("Value '$VALUE' of type '$VALUE_TYPE' is wrong")
    assert said(error) == "Error merging override x=a: Value 'a' is wrong."


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("lr", "it has no '='"),
        ("5b33", "it has no '='"),
        ("results/é", "it has no '='"),
        ("lr@a:b=1", "there is ':' in place of '='"),
        ("lr=a,", "its end is missing"),
        ("lr=,a", "',' does not fit there"),
        ("lr=a=b", "'=' does not fit there"),
        ("lr=[1,2", "'[1,2' cannot be read"),
        ("lr='a", "it has a quote that is not closed, or a character that has to be quoted"),
        ("lr=é", "it has a quote that is not closed, or a character that has to be quoted"),
        ("lr=range()", "range(): missing a required argument: 'start'"),
        ("lr=sort(1,choice(2,3))", "sort(1,choice(2,3)): Invalid arguments: (1, a sweep)"),
        (
            "lr=foo(1,2)",
            (
                "foo(1,2): Unknown function 'foo' (there are bool, choice, float, glob, int, interval,"
                " range, shuffle, sort, str, tag)"
            ),
        ),
        ("api_key=foo(hunter2)", "it cannot be read"),
    ],
)
def test_override_that_hydra_cannot_read_is_shown_with_the_reason(override: str, why: str) -> None:
    """The reason is not the override repeated, and names no class of a parser."""
    with pytest.raises(ConfigError) as caught, refusals_of_hydra():
        OverridesParser.create().parse_overrides([override])
    shown = "api_key=***" if "api_key" in override else override
    told = f"{shown!r} is not an override: {why}. "
    quoted = quoted_override(override)
    advice = f"Quote its value: {quoted}" if quoted else "Write key=value; quote special characters"
    if "=" not in override:  # there is no value that quotes would help
        advice = "Write key=value"
    assert str(caught.value) == f"{told}{advice}."


@pytest.mark.parametrize("text", ["? [1, 2]\n: 1", "? {a: 1}\n: 1", "a: 1\na: 2", "a: [1"])
def test_place_in_a_file_is_named_once(text: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.load(text, get_yaml_loader())  # noqa: S506 # a safe one
    assert said(caught.value).count("line ") == 1
