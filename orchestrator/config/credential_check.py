"""The check for credentials: what looks like a credential, by its key or its value, and is not written to disk.

There are two lists. ``is_named_credential`` is the older one and must not change: it is part of run
IDs, in which a credential from the environment counts by its reference. ``secret_words_and_forms`` adds names
and forms that are only hidden; it may grow.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.config.secret_words_and_forms import (
    OF_TEXT,
    holds_credential,
    is_credential_kind,
    is_secret_kind,
    without_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

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
# Names at the end of a key that mean nothing else, whatever the value.
_PASSWORDS: Final = (_ALWAYS - {"bearer", "secret", "secrets"}) | {"accesskey", "passcode"}
_LONGEST_WORDS: Final = 60
_SHORTEST_FORM: Final = 11  # characters of a credential that is told by its form alone
_BETWEEN: Final = re.compile(r"[\s./_:,@+<>|()\[\]-]+")
_ORDINARY: Final = re.compile(r"|[A-Z]?[a-z]{1,16}|[A-Z]{1,5}|[a-z]{1,5}\d{1,3}|\d{1,5}(e\d+)?")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USER: Final = re.compile(r"(?<=://)(?:[^/\s:@]*:[^/\s]*|[^/\s:@]{16,})@")
# A path that was made of an address has one slash.
_USER_OF_PATH: Final = re.compile(r"(\w:/)(?:[^/\s:@]*:[^/\s]*|[^/\s:@]{16,})@")
_QUERY: Final = re.compile(
    r"(?<=[?&;])((?:access[_-]?|api[_-]?|auth[_-]?)?(?:key|token|password|secret|sig|signature)=)"
    r"[^&;\s]+",
    re.IGNORECASE,
)


def is_named_credential(name: str) -> bool:
    """Return whether the name of a key or environment variable marks a credential for run IDs."""
    words = words_of(name)
    if not _ALWAYS.isdisjoint(words) or not _PAIRS.isdisjoint(pairwise(words)):
        return True
    return _is_token(words)


def is_credential(name: str) -> bool:
    """Return whether the name of a key or environment variable marks a credential."""
    return is_named_credential(name) or is_credential_kind(words_of(name))


def is_named_secret(path: Iterable[object], value: object) -> bool:
    """Return whether a value is a credential by the list that counts for run IDs."""
    if not isinstance(value, str | int | float) or isinstance(value, bool) or value == "":
        return False
    if isinstance(value, str) and has_old_password(value):
        return True
    names = [step for step in path if isinstance(step, str)]
    if isinstance(value, str):
        return any(map(is_named_credential, names))
    # A number under such a name is a count or an index of tokens.
    words = [words_of(name) for name in names]
    return any(
        is_named_credential(n) and not _is_token(w) for n, w in zip(names, words, strict=True)
    )


def is_secret(path: Iterable[object], value: object) -> bool:
    """Return whether a value under a path of keys must not be written to disk."""
    path = tuple(path)
    names = [step for step in path if isinstance(step, str)]
    is_count = isinstance(value, int | float) and is_ordinary(str(value))
    if is_count and not (names and _is_password(words_of(names[-1]))):
        return False  # as in secret_dim: 3
    if is_named_secret(path, value):
        return True
    if not isinstance(value, str) or not value:
        return False
    return holds_credential(value) or bool(names and is_secret_kind(words_of(names[-1]), value))


def looks_like_credential(path: Iterable[object], value: object) -> bool:
    """Return whether a value, or one within it, looks like a credential, rather than only its key.

    ``is_secret`` hides too much rather than too little. This is for what is refused: words and
    numbers under keys that have another meaning as well (``token=cls``, ``secret_dim=3``) pass.
    References are not credentials; what they lead to is judged where it stands.
    """
    if isinstance(value, int | float) and is_ordinary(str(value)):
        return False  # told at once: an axis may have a million numbers
    path = tuple(path)
    if isinstance(value, dict):
        return any(
            is_credential_as_key(key) or looks_like_credential((*path, key), item)
            for key, item in value.items()
        )
    if isinstance(value, list):
        return any(looks_like_credential((*path, at), item) for at, item in enumerate(value))
    if "${" in str(value) or not is_secret(path, value):
        return False
    if isinstance(value, str) and has_password(value):
        return True
    names = [step for step in path if isinstance(step, str)]
    is_password = isinstance(value, str) and bool(names) and _is_password(words_of(names[-1]))
    return is_password or not is_ordinary(str(value))


def is_ordinary(text: str) -> bool:
    """Return whether a string may be a word, a path or a number, rather than random characters."""
    return len(text) <= _LONGEST_WORDS and all(map(_ORDINARY.fullmatch, _BETWEEN.split(text)))


def _is_password(words: list[str]) -> bool:
    """Return whether a name with these words has no other meaning than that of a credential."""
    return not _PASSWORDS.isdisjoint(words[-1:]) or tuple(words[-2:]) in _PAIRS


def words_of(name: str) -> list[str]:
    """Return the words of a compound name in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def has_password(text: str) -> bool:
    """Return whether a string contains an address with a password, or a key of a known form."""
    return has_old_password(text) or holds_credential(text)


def is_credential_as_key(key: object) -> bool:
    """Return whether a key of a mapping is itself a credential, by its form."""
    return isinstance(key, str) and len(key) >= _SHORTEST_FORM and has_password(key)


def has_old_password(text: str) -> bool:
    """Return whether a string contains an address with a password, by the list for run IDs."""
    return "://" in text and _QUERY.sub(r"\1***", _USER.sub("", text)) != text


def without_passwords(text: str) -> str:
    """Return a string without the users, passwords and tokens of addresses in it."""
    text = _USER_OF_PATH.sub(r"\1", text)
    return without_credentials(_QUERY.sub(r"\1***", _USER.sub("", text)))


def _is_token(words: list[str]) -> bool:
    if words[-1:] != ["token"]:
        return False
    return OF_TEXT.isdisjoint(words)
