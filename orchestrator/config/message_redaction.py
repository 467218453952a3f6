"""The redaction of messages: conceals credentials in messages that repeat what was typed or written in a filter.

A value counts if it has the form of a credential, or if it stands beside a key that names one, as in
``api_key=...``, ``--only 'password == "..."'`` or ``{token: ...}``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestrator.config.concealed_arguments import find_arguments, items_of
from orchestrator.config.credential_check import (
    has_password,
    looks_like_credential,
    without_passwords,
)
from orchestrator.errors import FilterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHORTEST: Final = 4  # characters; shorter strings occur in any message
_RECOGNIZED: Final = 8  # characters from which the beginning of a secret alone is recognized
_FUNCTIONS: Final = ("choice", "range", "interval", "glob", "sort", "shuffle", "json_str", "float")
_HIDDEN: Final = "***"
_OVERRIDE: Final = re.compile(r"[+~]*([\w.@/-]+)\s*=(?!=)(.*)", re.DOTALL)
_VALUE: Final = r"""("[^"]*"?|'[^']*'?|\[[^\]]*\]?|[^\s!&|{}\[\]]+)"""
# From where a name begins: a search from each of its letters would take the square of its length.
_BEGINNING: Final = r"(?<![\w.@/-])"
_COMPARED: Final = re.compile(
    rf"{_BEGINNING}([\w.@/-]*\w)\s*(?:[=!<>]=|[<>]|\bin\b(?=\s*\[))\s*{_VALUE}"  # in filters
)
_ASSIGNED: Final = re.compile(rf"{_BEGINNING}([\w.@/-]*\w)['\"]?\s*[=:]\s*{_VALUE}")
_REFERENCE: Final = re.compile(r"\$\{[^{}]*\}")  # names a key, which is not secret
_STEPS: Final = re.compile(r"[^.+~/@]+")
_NEXT_SENTENCE: Final = re.compile(r"\s+[A-Z]|$")
_ITEM: Final = re.compile(r"""[^\s,'"\[\]{}()]+|"[^"]*"?|'[^']*'?""")


def typed_secrets(arguments: Iterable[str]) -> set[str]:
    """Return the values on a command line that stand beside the name of a credential."""
    found: set[str] = set()
    flag = ""
    for argument in arguments:
        found.update(_secrets_in(flag, argument) if flag else ())
        is_flag = argument.startswith("--") and "=" not in argument
        flag = argument.lstrip("-") if is_flag else ""
        if override := _OVERRIDE.fullmatch(argument):
            found.update(_secrets_in(override[1], override[2]))
            found |= typed_secrets(items_of(override[2]))
        for name, value in find_arguments(argument):
            found.update(_secrets_in(name, value[0]))
        for key, value in _ASSIGNED.findall(argument):
            found.update(_secrets_in(key, value))
        found |= compared_secrets(argument)
    return found


def compared_secrets(text: str) -> set[str]:
    """Return the values in a filter that are compared with the key of a credential."""
    return {each for key, value in _COMPARED.findall(text) for each in _secrets_in(key, value)}


def _secrets_in(key: str, value: str) -> Iterator[str]:
    path = _STEPS.findall(key)
    value = _REFERENCE.sub("", value)
    whole = value.strip().strip("\"'")
    items = [item.strip("\"'") for item in _ITEM.findall(value)]
    if any(_is_secret(path, item) for item in (whole, *items)):
        yield from (item for item in (whole, *items) if item not in _FUNCTIONS)


def _is_secret(path: list[str], value: str) -> bool:
    """Return whether a value is a credential because of its key; others are told by their form."""
    return looks_like_credential(path, value) and not has_password(value)


def without_these(message: str, secrets: Iterable[str]) -> str:
    """Return a message in which these secrets, also if cut off, are replaced by ``***``."""
    known = [secret for secret in secrets if len(secret) >= _SHORTEST]
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) < _RECOGNIZED:
            message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, message)
            continue
        start = message.find(secret[:_RECOGNIZED])
        while start >= 0:
            end = start + _RECOGNIZED
            while message[end : end + 1] == secret[end - start : end - start + 1] != "":
                end += 1
            message = message[:start] + _HIDDEN + message[end:]
            start = message.find(secret[:_RECOGNIZED], start + len(_HIDDEN))
    return without_passwords(message)


def _quoted_secrets(message: str) -> set[str]:
    """Return the values that stand beside the name of a credential in what a message quotes of a config."""
    found: set[str] = set()
    for name, value in find_arguments(message):
        sign = message[: value.start()].rstrip()[-1:]
        if sign == "=" or (sign in (":", ",") and value[0].startswith(("'", '"'))):
            ends = _NEXT_SENTENCE.match(message, value.end())
            found.update(_secrets_in(name, value[0].removesuffix(".") if ends else value[0]))
    return found


def without_secrets(text: str) -> str:
    """Return a text with filters in it without the credentials that they are compared with."""
    return without_these(text, compared_secrets(text))


def describe_error(error: Exception, arguments: Iterable[str]) -> str:
    """Return the message of an error without credentials from the command line or a filter."""
    secrets = typed_secrets(arguments) | _quoted_secrets(str(error))
    if isinstance(error, FilterError) and error.marked is not None:
        secrets |= compared_secrets(error.marked.text)
        return str(error.rewritten(lambda text: without_these(text, secrets)))
    return without_these(str(error), secrets)
