"""The parser of filters, and their grammar.

Spaces are optional::

    filter     = side "!" side
    side       = comparison { "&" comparison } | comparison { "|" comparison }
    comparison = key operator operand
    operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in"
    operand    = literal | "[" [ literal { "," literal } ] "]" | key
    literal    = quoted string | number | "true" | "false" | "null" | "~"
    key        = part { "." part }
    part       = name | quoted string

A quoted string on its own is a key only in front of an operator, and only if it is not a name.
Numbers and words are those of YAML 1.1 and Hydra, in any case: see ``filter_literals``. A filter
chains comparisons with ``&`` or with ``|``, never with both. Nothing is evaluated as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from orchestrator.errors import FilterError
from orchestrator.grid.config_values import in_path
from orchestrator.grid.filter_literals import NotALiteral, read_literal
from orchestrator.grid.filters import OPERATORS, Comparison, Condition, Filter, Key, Side, fail_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.grid.config_values import Value

_QUOTED: Final = r"""(?:"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')"""
_WORD: Final = r"""[^\s!&|\[\],<>="']+"""
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
      | (?P<text>{_QUOTED}(?!\.))
      | (?P<path>(?:{_WORD}\.)?{_QUOTED}(?:\.(?:{_QUOTED} | [^\s!&|\[\],<>="'.]+))*)
      | (?P<operator>==|!=|<=|>=|<|>)
      | (?P<mark>[!&|\[\],])
      | (?P<word>{_WORD})""",
    re.VERBOSE | re.DOTALL,
)
_PART: Final = re.compile(_QUOTED, re.VERBOSE | re.DOTALL)
_NAME: Final = re.compile(r"[^\W\d][\w-]*")
_KEY = re.compile(rf"{_NAME.pattern}(?:[./@][\w-]+)*")
_MAXIMUM_LENGTH: Final = 10_000
_SHOWN: Final = 80
# Before an operator these can only be keys; elsewhere YAML and Hydra disagree about them.
_KEYS_IN_FRONT: Final = ("yes", "no", "on", "off", "none", "inf", "nan")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


def parse_filter(text: str) -> Filter:
    """Parse one filter.

    Raises:
        FilterError: It does not follow the grammar; the message marks the position.
    """
    return _FilterParser(_check_length(text, "a filter")).filter()


def parse_condition(text: str, source: str = "--only") -> Condition:
    """Parse one side of a filter on its own, the value of the option ``source``.

    Raises:
        FilterError: It does not follow the grammar; the message marks the position.
    """
    try:
        side = _FilterParser(_check_length(text, source)).condition()
    except FilterError as error:
        raise error.at(source=source) from None
    return Condition(text, side, source)


def _check_length(text: str, what: str) -> str:
    if len(text) > _MAXIMUM_LENGTH:
        raise FilterError(
            f"{what} has {len(text)} characters: the maximum is {_MAXIMUM_LENGTH}. Split it."
        )
    return text


def _tokenize(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            character = text[place]
            match character:
                case '"' | "'":
                    fail_at(text, place, "this quotation mark is not closed")
                case "=":
                    fail_at(text, place, "'=' is not an operator; equality is '=='")
                case _:
                    fail_at(text, place, f"{character!r} has no meaning here")
        if found.lastgroup != "space":
            yield _Token(str(found.lastgroup), found.group(), place)
        place = found.end()
    yield _Token("end", "the end", place)


class _FilterParser:
    """A recursive descent parser over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = iter(tuple(_tokenize(text)))
        self._token = next(self._tokens)
        self._chain: str | None = None

    def filter(self) -> Filter:
        case = self._side("the case before '!'")
        if self._token.text != "!":
            self._fail("a filter is 'case ! condition', and here the '!' is missing")
        self._advance()
        condition = self._side("the condition after '!'")
        if self._token.text == "!":
            self._fail("a filter has one '!', but this is a second one")
        if self._token.kind != "end":
            self._fail(f"expected '&', '|' or the end, not {_name(self._token)}")
        return Filter(self._text, case, condition)

    def condition(self) -> Side:
        side = self._side("the condition")
        if self._token.kind != "end":
            self._fail(f"expected '&', '|' or the end, not {_name(self._token)}")
        return side

    def _side(self, name: str) -> Side:
        if self._token.kind == "end" or self._token.text == "!":
            self._fail(f"{name} is empty")
        comparisons = [self._comparison()]
        chain = None
        while self._token.text in ("&", "|") and self._token.kind == "mark":
            chain = self._token.text
            if self._chain not in (None, chain):
                self._fail("'&' and '|' cannot be mixed in one filter; write two filters")
            self._chain = chain
            self._advance()
            comparisons.append(self._comparison())
        return Side(tuple(comparisons), any_of=chain == "|")

    def _comparison(self) -> Comparison:
        start = self._token
        is_key = start.kind == "word" and start.text.lower() in _KEYS_IN_FRONT
        key = self._key() if is_key or _needs_quotes(start) else self._operand()
        if not isinstance(key, Key):
            self._fail("a comparison begins with a key: key, operator, value", start)
        sign = self._token
        if sign.text not in OPERATORS or sign.kind not in ("operator", "word"):
            self._fail(f"expected one of {' '.join(OPERATORS)}, not {_name(sign)}")
        self._advance()
        return Comparison(key, sign.text, self._operand(), sign.place)

    def _operand(self) -> Key | Value:
        token = self._token
        if token.text == "[" and token.kind == "mark":
            return self._list()
        if token.kind == "text":
            value: Key | Value = _unquote(token.text)
        elif token.kind == "path":
            return self._key()
        elif token.kind != "word":
            self._fail(f"expected a key or a value, not {_name(token)}")
        else:
            return self._word()
        self._advance()
        return value

    def _word(self) -> Key | Value:
        try:
            value = read_literal(self._token.text)
        except FilterError as error:
            self._fail(str(error))
        if isinstance(value, NotALiteral):
            return self._key()
        self._advance()
        return value

    def _key(self) -> Key:
        token = self._token
        if not _KEY.fullmatch(_PART.sub("_", token.text)):
            self._fail(f"{_name(token)} is not a key; if it is a string, put it in quotes")
        self._advance()
        path = _PART.sub(lambda part: in_path(_unquote(part[0])), token.text)
        return Key(path, token.place)

    def _list(self) -> Value:
        self._advance()
        items: list[Value] = []
        while self._token.text != "]":
            start = self._token
            if start.text == "[":
                self._fail("a list cannot contain lists", start)
            item = self._operand()
            if isinstance(item, Key):
                self._fail(
                    "a list contains only values; if it is a string, put it in quotes", start
                )
            items.append(item)
            if self._token.text == ",":
                self._advance()
            elif self._token.text != "]":
                self._fail(f"expected ',' or ']', not {_name(self._token)}")
        self._advance()
        return items

    def _advance(self) -> None:
        self._token = next(self._tokens, self._token)

    def _fail(self, why: str, token: _Token | None = None) -> NoReturn:
        fail_at(self._text, (token or self._token).place, why)


def _needs_quotes(token: _Token) -> bool:
    """Return whether a string in front of an operator is a key: what could do without is none."""
    return token.kind == "text" and not _NAME.fullmatch(_unquote(token.text))


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _name(token: _Token) -> str:
    if token.kind == "end":
        return token.text
    text = token.text
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
