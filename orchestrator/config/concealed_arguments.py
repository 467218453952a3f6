"""Overrides and arguments of programs as they are shown: the credentials in them are replaced by ``***``.

An argument is one of a list, as in ``orch.command=[train,--token=...]``, a word of a command for a shell,
or the one behind its option, as in ``--password ...``. References to variables and placeholders stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestrator.config.credential_check import (
    is_credential,
    is_secret,
    without_passwords,
    words_of,
)
from orchestrator.config.secret_words_and_forms import holds_credential

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Change = tuple[tuple[int, int], str]  # a span of a text, and what replaces it

_KEY_OF_CONFIG: Final = re.compile(r"[+~]*+(?!-|orch(?:\.|$))[\w./@:-]++")
_STEP: Final = re.compile(r"[^.+~/]+")
_MEMBER: Final = re.compile(r"(?<![\w-])([\w-]+)\s*:\s*([^,{}\[\]]*)")
# A name before its value, or an option before the next word. Possessive, since texts may be long.
_BEFORE: Final = re.compile(
    r"""(?<![\w$-])(?:(?P<name>[\w-]++)["']?\s*+[=:]\s*+
        |--?(?P<option>[\w-]++)(?<=\w)["']?(?:\s*+,\s*+|\s++))(?!["']?[=-])""",
    re.VERBOSE,
)
_VALUE: Final = re.compile(r"""["']?[${][^\s,"']*|"[^"]+"?|'[^']+'?|[^\s,"'\[\]{};&|]+""")
_OPTION: Final = re.compile(r"--?([\w-]*\w)")
_ITEM: Final = re.compile(
    r"""(?<=[\[,])\s*+("[^"]*"|'[^']*'|[^\s,'"\[\]{}][^,'"\[\]{}]*+)\s*+(?=[\],])"""
)
# To a variable, as they are usually named, an interpolation, or a placeholder.
_REFERENCE: Final = re.compile(r"\$[A-Z_][A-Z0-9_]*|\$\{.*\}|\$\(.*\)|\{[\w.:-]*\}", re.DOTALL)
_SWITCHES: Final = ("true", "false", "null", "none")
# Of options that are switches, and of those that name where a credential is.
_SWITCHING: Final = ("no", "use", "with", "without", "ask", "enable", "disable")
_PLACES: Final = (
    "file",
    "files",
    "path",
    "dir",
    "env",
    "var",
    "variable",
    "stdin",
    "name",
    "prompt",
)
_COUNT: Final = re.compile(r"\d{1,5}", re.ASCII)


def without_secret(override: str) -> str:
    """Return an override, or an argument of a program, without the credentials in it.

    A value that looks like one is replaced as a whole; so is a mapping or a list if a member of it has
    such a name. Of other texts and lists, the arguments are replaced.
    """
    key, equals, value = override.partition("=")
    path = _STEP.findall(key.partition("@")[0])
    is_list = value.startswith("[")
    members = _MEMBER.findall(value) if is_list or value.startswith("{") else ()
    plain, option = value.strip("\"' "), _OPTION.fullmatch(key)
    found = (
        (_is_credential(option[1], plain, is_own=True) if option else is_secret(path, plain))
        or holds_credential(value)
        or any(is_credential(name) or is_secret([name], text) for name, text in members)
    )
    if equals and found and len(key.split()) <= 1:  # else it is a command for a shell
        return f"{key}{equals}***"
    shown = f"{key}{equals}{_without_items(value)}" if is_list else override
    return _replace(shown, ((it.span(), "***") for _, it in find_arguments(shown)))


def without_secret_value(override: str) -> str:
    """Return an override for a command that is to be pasted: without a value that is a credential as a whole.

    Of values of the config, which its file has as they are, no part is replaced: the command would be one of
    another run. The settings of ``orch`` do not decide which run it is.
    """
    shown = without_secret(override)
    key, equals, _ = override.partition("=")
    is_of_config = equals and _KEY_OF_CONFIG.fullmatch(key)
    return override if is_of_config and shown != f"{key}=***" else shown


def arguments_without_secrets(arguments: Iterable[str]) -> list[str]:
    """Return the arguments of a program without the credentials in them."""
    shown, name = [], ""
    for argument in arguments:
        is_hidden = name and not argument.startswith("-") and _is_credential(name, argument)
        shown.append("***" if is_hidden else without_passwords(without_secret(argument)))
        option = _OPTION.fullmatch(argument)
        name = option[1] if option else ""
    return shown


def items_of(value: str) -> list[str]:
    """Return the items of a list as it is typed, without quotes; none of anything else."""
    return [_unquoted(it) for it in _ITEM.finditer(value)] if value.startswith("[") else []


def find_arguments(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the credentials that stand beside their names in a text: the name, and the value's place."""
    found = _BEFORE.search(text)
    while found:
        name, end = found["name"] or found["option"], found.end()
        value = _VALUE.match(text, end) if is_credential(name) else None
        if value:
            end = value.end()
            if _is_credential(name, value[0].strip("\"'")):
                yield name, value
        found = _BEFORE.search(text, end)


def _is_credential(name: str, text: str, *, is_own: bool = False) -> bool:
    """Return whether an argument under a name is a credential: no count, and no reference to one.

    ``is_own``: it is the option's, and not the next argument of a switch.
    """
    if _REFERENCE.fullmatch(text) or text.lower() in _SWITCHES:
        return False
    words = words_of(name)
    if words and ((words[0] in _SWITCHING and not is_own) or words[-1] in _PLACES):
        return False
    return is_secret([name], int(text) if _COUNT.fullmatch(text) else text)


def _without_items(value: str) -> str:
    items = list(_ITEM.finditer(value))
    texts = [_unquoted(item) for item in items]
    shown = zip(items, texts, arguments_without_secrets(texts), strict=True)
    return _replace(value, ((item.span(1), it) for item, text, it in shown if it != text))


def _unquoted(item: re.Match[str]) -> str:
    return item[1].strip().strip("\"'")


def _replace(text: str, changes: Iterable[Change]) -> str:
    parts, at = [], 0
    for (start, end), shown in changes:
        parts += [text[at:start], shown]
        at = end
    return "".join([*parts, text[at:]])
