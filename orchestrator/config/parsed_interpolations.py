"""Parses interpolations with OmegaConf's grammar, and remembers what it parsed.

OmegaConf parses a text each time that it resolves it: 264 times for 19 texts while a grid of
lightning-hydra-template is planned, which is a tenth of the time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import omegaconf.base
from omegaconf import grammar_parser

_MOST_TEXTS: Final = 1_000
_LONG: Final = 1_000  # characters; longer texts are rare, and their trees large
_MOST_LONG_TEXTS: Final = 2


def parse(value: str, parser_rule: str = "configValue", lexer_mode: str = "DEFAULT_MODE") -> Any:  # noqa: ANN401 # ANTLR has no types
    """Return the syntax tree of a text with interpolations, which nobody may change.

    Raises:
        GrammarParseError: It is not in OmegaConf's grammar.
    """
    read = _parse_once if len(value) <= _LONG else _parse_long
    return read(value, parser_rule, lexer_mode)


def remember_parses() -> None:
    """Let OmegaConf resolve with the trees that are remembered, where it parses as expected."""
    if getattr(omegaconf.base, "parse", None) is grammar_parser.parse:
        omegaconf.base.parse = parse  # type: ignore[attr-defined] # it imports it


@lru_cache(maxsize=_MOST_TEXTS)
def _parse_once(text: str, parser_rule: str, lexer_mode: str) -> Any:  # noqa: ANN401 # as above
    return grammar_parser.parse(text, parser_rule, lexer_mode)


@lru_cache(maxsize=_MOST_LONG_TEXTS)
def _parse_long(text: str, parser_rule: str, lexer_mode: str) -> Any:  # noqa: ANN401 # as above
    return grammar_parser.parse(text, parser_rule, lexer_mode)
