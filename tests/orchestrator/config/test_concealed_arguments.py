"""What is shown of overrides and of the arguments of programs has lost the credentials in it."""

import pytest

from orchestrator.config.concealed_arguments import (
    arguments_without_secrets,
    without_secret,
    without_secret_value,
)

SECRET = "sesame-open"  # noqa: S105 # of nothing


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (f"orch.command=[train,'--token={SECRET}',-v]", "orch.command=[train,--token=***,-v]"),
        (
            f'orch.command=[train, "--token={SECRET} b", -v]',
            "orch.command=[train, --token=***, -v]",
        ),
        (f"orch.command=[train,--password,{SECRET},-v]", "orch.command=[train,--password,***,-v]"),
        (
            f"orch.command=[train, '--api-key', '{SECRET} b']",
            "orch.command=[train, '--api-key', ***]",
        ),
        (f"orch.arguments=[--hf-token, {SECRET}]", "orch.arguments=[--hf-token, ***]"),
        (f"+x=[a,db.password={SECRET}]", "+x=[a,db.password=***]"),
        (
            f"orch.command=[sh,-c,'p --password {SECRET}; q']",
            "orch.command=[sh,-c,p --password ***; q]",
        ),
        (f"orch.command=[sh,-c,'TOKEN={SECRET} p']", "orch.command=[sh,-c,TOKEN=***]"),
        (f"note='p --token \"{SECRET} b\" -v'", "note='p --token *** -v'"),
        (f"orch.command=[p,--password,{SECRET}", "orch.command=[p,--password,***"),  # no end
    ],
)
def test_arguments_within_an_override_are_concealed(typed: str, shown: str) -> None:
    """Only they: the rest still says which program it was."""
    assert without_secret(typed) == shown
    assert without_secret(shown) == shown


@pytest.mark.parametrize(
    "word", ["--password=$ecret9x", "--password={abc}xyz", "--use_token=abcdef123", "--pw=$A-b"]
)
def test_credential_is_no_reference_because_it_begins_like_one(word: str) -> None:
    name, _, value = word.partition("=")
    assert arguments_without_secrets([word]) == [f"{name}=***"]
    if "use" not in name:
        assert arguments_without_secrets([name, value]) == [name, "***"]


def test_argument_behind_its_option_is_concealed() -> None:
    """A shell's command, too; options and what names other things stay."""
    words = ["p", "--password", SECRET, "-token", SECRET, "sh -c 'p --pw x1y2'", f"--pat={SECRET}"]
    shown = ["p", "--password", "***", "-token", "***", "sh -c 'p --pw ***'", "--pat=***"]
    assert arguments_without_secrets(words) == shown
    assert arguments_without_secrets(shown) == shown


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--max-tokens", "512", "--tokenizer", "bpe", "--pass", "3", "--auth", "basic"],
        ["train", "--use-auth-token", "true", "--secret-dim", "4", "--token", "--lr=0.1"],
        ["train", "--token", "$TOKEN", "--password", "${oc.env:PW}", "--token", "{token}"],
        ["sh", "-c", "train --token $TOKEN --password '$PW' --key {key}; echo a=b c:d"],
        [
            "p",
            "--password-file=/run/pw",
            "--api-key-env=KEY",
            "--no-password=true",
            "--password=$PW",
        ],
        ["p", "--Ω", "{text}", "--_", "x", "-_=x", "--学习率", "0.1", "--é=x", "--=x"],
        ["train", "url=http://host:80/a", "lr=[1,2]", "x={a: 1}", "--", "-", ""],
    ],
)
def test_other_arguments_stay(words: list[str]) -> None:
    """References are not credentials."""
    assert arguments_without_secrets(words) == words
    typed = f"orch.command={[*words]}"
    assert without_secret(typed) == typed


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ('+prompt="the next token: cat"', '+prompt="the next token: cat"'),
        ("note='use --token abc'", "note='use --token abc'"),
        ("a.texts=[--token, abcd]", "a.texts=[--token, abcd]"),
        ("db.password=hunter2", "db.password=***"),
        ("db={password: hunter2}", "db=***"),
        ("orch.command=[a, --token, abcd]", "orch.command=[a, --token, ***]"),
        ("+orch={command: [a, '--token=abcd']}", "+orch={command: [a, '--token=***']}"),
    ],
)
def test_values_of_a_config_stay_in_commands_to_paste(typed: str, shown: str) -> None:
    """With another text it would be another run."""
    assert without_secret_value(typed) == shown
