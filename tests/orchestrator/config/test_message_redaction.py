"""Tests of orchestrator.config.message_redaction: messages repeat no credential that was typed."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.config.message_redaction import describe_error, without_secrets
from orchestrator.errors import ConfigError, FilterError, OrchestratorError
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.planning.load import ConfigSource, load_plan

CANARY = "hunter2correct"
TOKEN = "ghp_abcdefghijklmnop1234"  # noqa: S105 # no real one


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a config folder."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "config.yaml").write_text(
        "results_dir: r\nexperiment_id: e\nx: 1\napi_key: null\norch: {retries: 0, gpus: auto}\n"
    )
    return folder


def _said(conf: Path, overrides: Sequence[str], only: str | None = None) -> str:
    typed = [*overrides, *([] if only is None else ["--only", only])]
    with pytest.raises(OrchestratorError) as refusal:
        load_plan(ConfigSource(conf, "config", overrides), only=only)
    return describe_error(refusal.value, typed)


@pytest.mark.parametrize(
    "only",
    [
        f"api_key == '{CANARY}' !",
        f"api_key == '{CANARY}",
        f'x == 1 & api_key != "{CANARY}" ! y',
        f"password = {CANARY}",
        f"password == {CANARY}$",
        f"data.password in ['{CANARY}', 2] !",
        f"data.password in [{CANARY}]",
        f"api_key < '{CANARY}'",
        f"api_key == '{CANARY}' & nope.at.all == 1",
        f"api_key == '{CANARY}'",
        f"x == '{TOKEN}' ! y",
        f"x == {TOKEN}$",
        f"x == 'https://me:{CANARY}@host' !",
        f"x in ['a', 'postgres://me:{CANARY}@host'",
        f"api_key == '{CANARY}{'x' * 100}' ! y",
        f"hf_token == '{CANARY}' ! y",
    ],
)
def test_condition_with_a_credential_is_not_repeated(conf: Path, only: str) -> None:
    """Nor a part of it; and the caret stays under the place."""
    said = _said(conf, ["+data.password=1", "+hf_token=2"], only)
    assert CANARY[:8] not in said
    assert TOKEN[:8] not in said
    assert CANARY[-5:] not in said
    assert "***" in said or "https://host" in said or "postgres://host" in said


@pytest.mark.parametrize(
    "override",
    [
        f"orch.retries={TOKEN}",
        f"orch.retries=https://me:{CANARY}@host",
        f"orch.retries={{password:{CANARY}}}",
        f"orch.timeout={{api_key:{CANARY}}}",
        f"orch.gpus=password={CANARY}",
        f"results_dir='https://me:{CANARY}@x'",
        f"results_dir='s3://me:{CANARY}@x/y'",
        f"results_dir='~{TOKEN}/x'",
        f"experiment_id='https://me:{CANARY}@x'",
        f"experiment_id={TOKEN}/x",
        f"api_key={CANARY},b",
        f"api_key={CANARY},choice(1,2)",
        f"+a={{api_key:{CANARY}",
        f"api_key = {CANARY}",
        f"~api_key={CANARY}",
        f"api_keys={CANARY}",
        f"_filters=['api_key == {CANARY} ! x == 1',1]",
        f'+_filters=["api_key == \'{CANARY}"]',
        f"api_key@x={CANARY}",
        f"orch.command=[train,--token={TOKEN}]",  # "=" has to be quoted
        f"orch.command=[train,--password,{CANARY}",
        f"orch.arguments=[train,'--pw={CANARY}]",
    ],
)
def test_override_with_a_credential_is_not_repeated(conf: Path, override: str) -> None:
    """Whatever is wrong with it."""
    said = _said(conf, [override])
    assert CANARY[:8] not in said
    assert TOKEN[:8] not in said


def test_flags_and_folders_with_credentials_are_not_repeated() -> None:
    """Also of a path, in which an address has lost a slash."""
    error = ConfigError(f"unrecognized arguments: --api_key={CANARY} {CANARY}")
    assert CANARY not in describe_error(error, [f"--api_key={CANARY}"])
    error = ConfigError(f"no file {CANARY!r}")
    assert CANARY not in describe_error(error, ["--password", CANARY])
    error = ConfigError(f"there is no config folder 'https:/me:{CANARY}@x'")
    assert describe_error(error, []) == "there is no config folder 'https:/x'"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", "x"),
        ("password", CANARY),
        ("password", "hunter2.hunter2."),
        ("db.password", CANARY),
        ("token", CANARY),
    ],
)
def test_full_stop_after_a_credential_stays(key: str, secret: str) -> None:
    """It ends the sentence, and does not belong to the credential."""
    error = ConfigError(f"Write {key}={secret}. See --help.")
    assert describe_error(error, [f"--{key}={secret}"]) == f"Write {key}=***. See --help."


def test_beginning_of_a_long_credential_is_recognized() -> None:
    """Messages cut long values."""
    error = ConfigError(f"api_key is {CANARY[:10]}..., not a number")
    assert describe_error(error, [f"api_key={CANARY}"]) == "api_key is ***..., not a number"


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("cannot override 'api_key': there is no such key", ["api_key=abc"]),
        ("token is cls, not mean: test/loss", ["token=cls", "secret_dim=1024", "tokens=test"]),
        ("it would expose data.password", ["orch.command=[train,'--pw=${data.password}']"]),
        ("'first' is not a key", ["--only", "token == first"]),
        ("secret_dim is 1024", ["secret_dim=1024"]),
        ("max_new_tokens is 20000", ["max_new_tokens=20000"]),
        ("write one choice(...) of all values", ["api_key=abc,choice(1,2)"]),
        ("a path a/b:c of x@y, at 10:30", ["--only", "x == 1"]),
    ],
)
def test_ordinary_words_stay(message: str, typed: list[str]) -> None:
    """A message without its words would be of no use."""
    assert describe_error(ConfigError(message), typed) == message


def test_caret_stays_under_its_place() -> None:
    """Though what stands before it is shorter now."""
    with pytest.raises(FilterError) as refusal:
        parse_condition(f"password == '{CANARY}' & x = 1", "--where")
    said = describe_error(refusal.value, [])
    assert said.splitlines() == [
        "--where, character 23: '=' is not an operator; equality is '=='.",
        "    password == '***' & x = 1",
        "                          ^",
    ]


def test_filter_is_shown_without_the_credential_it_compares_with() -> None:
    """As the plan shows it."""
    assert without_secrets(f'api_key == "{CANARY}" ! x == 1') == 'api_key == "***" ! x == 1'
    assert without_secrets('token == "cls" ! x == 1') == 'token == "cls" ! x == 1'


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            f"orch.workers is ['--token={CANARY}', '--password', '{CANARY}'].",
            "orch.workers is ['--token=***', '--password', '***'].",
        ),
        (f"orch.order is {{'password': '{CANARY}'}}.", "orch.order is {'password': '***'}."),
        ("db.password: it has no value", "db.password: it has no value"),
    ],
)
def test_credential_in_a_value_of_a_config_is_not_repeated(message: str, shown: str) -> None:
    """It was not typed; a sentence about its key stays."""
    assert describe_error(ConfigError(message), []) == shown
