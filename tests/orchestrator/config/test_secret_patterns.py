"""What looks like a credential is known by its key, or by itself."""

from typing import Any

import pytest

from orchestrator.config.secret_patterns import (
    has_password,
    is_credential,
    is_secret,
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
        (("token",), "abc", True),
        (("url",), "https://me:pw@host/", True),
        (("url",), "https://host/a@b:c", False),
        (("url",), "s3://bucket/key?token=abc", True),
        (("url",), "ssh://git@host/", False),
        (("url",), "https://ghp_0123456789abcdef@host/", True),
    ],
)
def test_secrets_are_texts_and_numbers(path: tuple[str, ...], value: Any, secret: bool) -> None:  # noqa: FBT001 # a table
    """An empty password is none, and a switch is no password."""
    assert is_secret(path, value) is secret


def test_addresses_lose_what_nobody_should_read() -> None:
    """User, password and token; the rest stays."""
    text = "at http://a:b@c/d?api_key=e&f=g and mysql://h:i@j, not at http://k/l@m"
    kept = "at http://c/d?api_key=***&f=g and mysql://j, not at http://k/l@m"
    assert without_passwords(text) == kept
    assert has_password(text)
    assert not has_password("http://k/l@m")
