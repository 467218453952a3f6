"""What looks like a credential is known by its key, or by itself."""

from typing import Any

import pytest

from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.credential_check import (
    has_password,
    is_credential,
    is_named_secret,
    is_secret,
    looks_like_credential,
    without_passwords,
)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_passwd",
        "API_KEY",
        "apiKey",
        "openai-api-key",
        "HF_TOKEN",
        "token",
        "authToken",
        "client_secret",
        "AWS_SECRET_ACCESS_KEY",
        "credentials",
        "private_key",
        "accountKey",
        "Authorization",
    ],
)
def test_credentials_are_known_by_their_names(name: str) -> None:
    """However the words are joined."""
    assert is_credential(name)


@pytest.mark.parametrize(
    "name",
    [
        "tokens",
        "pad_token",
        "mask_token",
        "num_tokens",
        "max_token",
        "key",
        "keys",
        "monkey",
        "tokenizer",
        "secretary",
        "lr",
        "bosToken",
        "keyboard",
        "public_key",
        "compass",
    ],
)
def test_other_names_are_not(name: str) -> None:
    """Models are full of tokens and keys."""
    assert not is_credential(name)


@pytest.mark.parametrize(
    ("path", "value", "secret"),
    [
        (("data", "password"), "x", True),
        (("credentials", "user"), "me", True),
        (("data", "password"), 1234, True),
        (("data", "password"), "", False),
        (("data", "password"), None, False),
        (("use_password",), True, False),
        (("token",), 7, False),
        (("secret_dim",), 3, False),
        (("pin", "secret"), 4711000, True),
        (("token",), "abc", True),
        (("url",), "https://me:pw@host/", True),
        (("url",), "https://host/a@b:c", False),
        (("url",), "s3://bucket/key?token=abc", True),
        (("url",), "ssh://git@host/", False),
        (("url",), "https://ghp_0123456789abcdef@host/", True),
    ],
)
def test_secrets_are_texts_and_numbers(path: tuple[str, ...], value: Any, secret: bool) -> None:  # noqa: FBT001 # a table
    """An empty password is not a secret, nor is a switch."""
    assert is_secret(path, value) is secret


def test_addresses_lose_what_nobody_should_read() -> None:
    """User, password and token; the rest stays."""
    text = "at http://a:b@c/d?api_key=e&f=g and mysql://h:i@j, not at http://k/l@m"
    kept = "at http://c/d?api_key=***&f=g and mysql://j, not at http://k/l@m"
    assert without_passwords(text) == kept
    assert has_password(text)
    assert not has_password("http://k/l@m")


KEY = "0123456789abcdef"  # of no service, but as long as theirs
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nabc"
HIDDEN = [
    *[(name, "hunter2") for name in ("db_pass", "pass", "pw", "passcode", "pat", "cookie", "auth")],
    *[
        (name, KEY)
        for name in ("wandb_key", "accesskey", "token_value", "session_id", "licenseKey")
    ],
    *[
        (name, KEY)
        for name in ("OPENAI_KEY", "accesstoken", "sessionid", "github.pat", "smtp.pass")
    ],
    ("hf_tokens.0", "abc"),
    ("license", "ABCD-1234-EFGH-5678"),
    ("text", PEM),
    ("text", f"ghp_{KEY}{KEY}"),
    *[("text", f"sk-{kind}{KEY}{KEY}") for kind in ("", "proj-", "ant-api03-a_b-")],
    ("text", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
    ("text", "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=abc/def=="),
    ("text", "host=db user=me password=hunter2 dbname=x"),
    ("text", f"https://s3.host/b?X-Amz-Signature={KEY}&X-Amz-Date=1"),
    ("text", f"https://x.azurewebsites.net/api/f?code={KEY}"),
    ("text", "https://hooks.slack.com/services/T0/B0/abc"),
    ("text", "Bearer abcdefghijklmnop"),
    ("text", f"AKIA{KEY.upper()}"),
    ("text", "postgres://me:hunter2@host/db"),
    *[(name, "hunter2") for name in ("dbPassword", "dbpassword", "creds", "storepass", "passwort")],
    *[
        (name, KEY)
        for name in ("master_key", "signingkey", "access_code", "pass_phrase", "xapikey")
    ],
    *[("text", f"{form}{KEY}{KEY}") for form in ("dckr_pat_", "dop_v1_", "shpat_", "hvs.")],
    *[
        ("text", f"{form}{KEY}{KEY}")
        for form in ("nvapi-", "xai-", "pplx-", "lin_api_", "lsv2_pt_")
    ],
    ("text", f"AGE-SECRET-KEY-1{KEY.upper()}{KEY.upper()}"),
]


@pytest.mark.parametrize(("name", "value"), HIDDEN, ids=[f"{n} {v[:12]}" for n, v in HIDDEN])
def test_what_looks_like_a_credential_is_one(name: str, value: str) -> None:
    """By its name, or by its form; a command that is shown has lost it."""
    path = [int(step) if step.isdigit() else step for step in name.split(".")]
    assert is_secret(path, value)
    key = name.removesuffix(".0")
    for override in (f"{key}={value}", f"+{key}='{value}'", f"x={{a:1,{key}:{value}}}"):
        assert value not in without_secret(override)


ORDINARY = [
    *[(name, "text") for name in ("tokenizer", "token_dim", "pass_through", "author", "path")],
    *[(name, "text") for name in ("bypass", "forward_pass", "low_pass", "compass", "patience")],
    *[(name, "text") for name in ("sort_key", "image_key", "primary_key", "key_dim", "pad_token")],
    *[(name, "a b") for name in ("authority", "session", "cookiecutter", "secretary", "pattern")],
    *[("license", name) for name in ("MIT", "Apache-2.0", "CC-BY-NC-SA-4.0", "BSD-3-Clause")],
    *[(name, 7) for name in ("n_tokens", "max_tokens", "n_passes", "pass", "token", "auth")],
    *[("special_tokens.0", "<s>"), ("tokens.0", "a"), ("pad_token_value", "<pad>")],
    *[("auth", "basic"), ("auth", True), ("pass", None), ("pw", ""), ("cookie", False)],
    ("text", "choose a password"),
    *[("text", name) for name in ("sk-learn", "sk-learn-baseline-model-v2-long")],
    ("text", "task-abcdefghijklmnopqrstuvw"),
    ("text", "hf_model"),
    ("text", "lr=0.1,code=3"),
    ("text", "https://host/a?code=en&page=2"),
    ("text", "0123456789abcdef0123456789abcdef01234567"),
    ("text", "facebook/wav2vec2-base-960h"),
    ("text", "keyring and keypoints"),
    *[
        ("text", name)
        for name in ("xai-explained-gradients-baseline-of-2026", "hvs.model", "pplx-scores")
    ],
    *[(name, "a b") for name in ("access_codec", "master_keypoint", "forward_pass_word_count")],
    ("text", "${oc.env:HOME}/data"),
]


@pytest.mark.parametrize(("name", "value"), ORDINARY, ids=[f"{n} {v}" for n, v in ORDINARY])
def test_ordinary_keys_and_values_are_none(name: str, value: Any) -> None:
    """Machine learning has keys, tokens, passes, patterns and patience of its own."""
    assert not is_secret([int(s) if s.isdigit() else s for s in name.split(".")], value)


@pytest.mark.parametrize(("name", "value"), HIDDEN[:19], ids=[n for n, _ in HIDDEN[:19]])
def test_what_is_hidden_only_now_counts_for_run_ids_as_before(name: str, value: str) -> None:
    """The older list decides about identity, and stays as it is."""
    assert not is_named_secret(name.split("."), value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("token", value) for value in ("cls", "mean", "CLS", "first_last", "layer12", "<s>", 3)],
        *[("secret_dim", value) for value in (3, 4, 1024, "small")],
        *[("tokens", "word"), ("max_new_tokens", 20), ("pad_token_id", 0), ("token_dim", 8)],
        *[("pass", "forward"), ("auth", "basic"), ("cookie", "chocolate"), ("password_length", 12)],
        *[("token", "${pooling}"), ("password", ""), ("password", None), ("use_password", True)],
        *[("token", ["cls", "mean"]), ("model", {"token": "cls"}), ("key", "user:abc")],
        *[("session_id", 17), ("secret", "shared/anchor"), ("credentials.kind", "none")],
    ],
)
def test_words_and_numbers_under_ambiguous_keys_are_no_credentials(name: str, value: Any) -> None:
    """They may be the values of an axis."""
    assert not looks_like_credential(name.split("."), value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, "word") for name in ("password", "db_passwd", "api_key", "apiKey", "passphrase")],
        *[("data.password", "canary-a"), ("credentials", "me"), ("passcode", "abc")],
        *[("token", value) for value in ("hunter2correct", "ABCDEFG", "a1b2c3d4", "Xy7-Qw9")],
        *[("hf_token", "hunter2"), ("pin.secret", 4711000), ("password", 123456)],
        *[("url", "https://me:pw@host/"), ("x", "ghp_0123456789abcdef"), ("auth", "dXNlcjpwdw")],
        *[
            ("token", ["cls", "a1b2c3d4"]),
            ("model", {"token": "a1b2c3d4"}),
            ("a", [{"pw": "hunter2"}]),
            ("headers", {"sk-abcdefghijklmnop0123": 1}),
            ("a", [{"https://me:hunter2@host": 1}]),
        ],
    ],
)
def test_key_and_value_together_are_a_credential(name: str, value: Any) -> None:
    """Axis values are in tables, logs and run.json."""
    assert looks_like_credential(name.split("."), value)
