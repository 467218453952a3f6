"""Credentials: what looks like one, by its key or by itself, so that it is not written down."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

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
# Tokens that a text or an image is made of.
_OF_TEXT: Final = frozenset(
    [
        "audio",
        "begin",
        "blank",
        "bos",
        "class",
        "cls",
        "end",
        "eos",
        "first",
        "image",
        "label",
        "last",
        "mask",
        "max",
        "min",
        "new",
        "next",
        "num",
        "pad",
        "per",
        "prompt",
        "register",
        "sep",
        "special",
        "start",
        "stop",
        "text",
        "unk",
        "vision",
        "word",
    ]
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_USER: Final = re.compile(r"(?<=://)(?:[^/\s:@]*:[^/\s]*|[^/\s:@]{16,})@")
_QUERY: Final = re.compile(
    r"(?<=[?&;])((?:access[_-]?|api[_-]?|auth[_-]?)?(?:key|token|password|secret|sig|signature)=)"
    r"[^&;\s]+",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Tell whether a key, or a variable of the environment, is named as credentials are."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not _ALWAYS.isdisjoint(words) or not _PAIRS.isdisjoint(pairwise(words)):
        return True
    return _is_token(words)


def is_secret(path: Iterable[object], value: object) -> bool:
    """Tell whether a value under a path of keys must not be written down."""
    if not isinstance(value, str | int | float) or isinstance(value, bool) or value == "":
        return False
    if isinstance(value, str) and has_password(value):
        return True
    names = [step for step in path if isinstance(step, str)]
    if isinstance(value, str):
        return any(map(is_credential, names))
    # A number of tokens, or the number of one, is no token.
    words = [[word.lower() for word in _WORD.findall(name)] for name in names]
    return any(is_credential(n) and not _is_token(w) for n, w in zip(names, words, strict=True))


def has_password(text: str) -> bool:
    """Tell whether an address in a text names a password."""
    return "://" in text and without_passwords(text) != text


def without_passwords(text: str) -> str:
    """Return a text in which addresses have lost their users, passwords and tokens."""
    return _QUERY.sub(r"\1***", _USER.sub("", text))


def _is_token(words: list[str]) -> bool:
    if words[-1:] != ["token"]:
        return False
    return _OF_TEXT.isdisjoint(words)
