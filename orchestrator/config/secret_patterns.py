"""Credentials: what looks like one, by its key or by itself, so that it is not written down.

Two lists: ``is_named_credential`` is the older one, and part of what makes run IDs (a credential from
the environment counts by its reference), so it stays as it is. ``secret_kinds`` adds what is only
hidden, by name and by form; it may grow.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.config.secret_lists import (
    OF_TEXT,
    holds_credential,
    is_credential_kind,
    is_secret_kind,
    without_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ALWAYS: Final = frozenset(
    [
        "apikey",
        "authorization",
        "bearer",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pwd",
        "secret",
        "secrets",
    ]
)
_PAIRS: Final = frozenset(
    (kind, "key")
    for kind in [
        "access",
        "account",
        "api",
        "auth",
        "encryption",
        "private",
        "secret",
        "signing",
        "ssh",
    ]
) | {("connection", "string")}
_STEP: Final = re.compile(r"[^.+~/]+")
_MEMBER: Final = re.compile(r"([\w-]+)\s*:\s*([^,{}\[\]]*)")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USER: Final = re.compile(r"(?<=://)(?:[^/\s:@]*:[^/\s]*|[^/\s:@]{16,})@")
_QUERY: Final = re.compile(
    r"(?<=[?&;])((?:access[_-]?|api[_-]?|auth[_-]?)?(?:key|token|password|secret|sig|signature)=)"
    r"[^&;\s]+",
    re.IGNORECASE,
)


def is_named_credential(name: str) -> bool:
    """Tell whether a key, or a variable of the environment, is named as credentials always were."""
    words = words_of(name)
    if not _ALWAYS.isdisjoint(words) or not _PAIRS.isdisjoint(pairwise(words)):
        return True
    return _is_token(words)


def is_credential(name: str) -> bool:
    """Tell whether a key, or a variable of the environment, is named as credentials are."""
    return is_named_credential(name) or is_credential_kind(words_of(name))


def is_named_secret(path: Iterable[object], value: object) -> bool:
    """Tell whether a value is a credential by the list that counts for run IDs."""
    if not isinstance(value, str | int | float) or isinstance(value, bool) or value == "":
        return False
    if isinstance(value, str) and has_old_password(value):
        return True
    names = [step for step in path if isinstance(step, str)]
    if isinstance(value, str):
        return any(map(is_named_credential, names))
    # A number of tokens, or the number of one, is no token.
    words = [words_of(name) for name in names]
    return any(
        is_named_credential(n) and not _is_token(w) for n, w in zip(names, words, strict=True)
    )


def is_secret(path: Iterable[object], value: object) -> bool:
    """Tell whether a value under a path of keys must not be written down."""
    path = tuple(path)
    if is_named_secret(path, value):
        return True
    if not isinstance(value, str) or not value:
        return False
    names = [step for step in path if isinstance(step, str)]
    return holds_credential(value) or bool(names and is_secret_kind(words_of(names[-1]), value))


def holds_secret(path: Iterable[object], value: object) -> bool:
    """Tell whether a value, or one anywhere within it, must not be written down.

    References are not secrets; what they lead to is judged where it stands.
    """
    path = tuple(path)
    if isinstance(value, dict):
        return any(holds_secret((*path, key), item) for key, item in value.items())
    if isinstance(value, list):
        return any(holds_secret((*path, place), item) for place, item in enumerate(value))
    return "${" not in str(value) and is_secret(path, value)


def without_quoted_secrets(message: str, quoted: Mapping[str, str]) -> str:
    """Return a message in which the values it quotes, by their keys, are hidden where they are secret."""
    for key, text in quoted.items():
        if is_secret(key.split("."), text.strip('"')):
            message = message.replace(text, "***")
    return message


def without_secret(override: str) -> str:
    """Return an override as it was typed, without its value where that looks like a credential.

    A mapping or a list loses everything if a key in it, or a text, looks like one.
    """
    key, equals, value = override.partition("=")
    path = _STEP.findall(key.partition("@")[0])
    members = _MEMBER.findall(value) if value[:1] in ("{", "[") else ()
    found = (
        is_secret(path, value.strip("\"' "))
        or holds_credential(value)
        or any(is_credential(name) or is_secret([name], text) for name, text in members)
    )
    return f"{key}{equals}***" if equals and found else override


def words_of(name: str) -> list[str]:
    """Return the words that a name is joined of, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def has_password(text: str) -> bool:
    """Tell whether a text holds a credential: an address with a password, a key of a known form."""
    return has_old_password(text) or holds_credential(text)


def has_old_password(text: str) -> bool:
    """Tell whether an address in a text names a password, by the list that counts for run IDs."""
    return "://" in text and _QUERY.sub(r"\1***", _USER.sub("", text)) != text


def without_passwords(text: str) -> str:
    """Return a text in which addresses have lost their users, passwords and tokens."""
    return without_credentials(_QUERY.sub(r"\1***", _USER.sub("", text)))


def _is_token(words: list[str]) -> bool:
    if words[-1:] != ["token"]:
        return False
    return OF_TEXT.isdisjoint(words)
