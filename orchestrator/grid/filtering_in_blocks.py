"""The sieve: which points of a family its filters drop, and the digests of those that stay.

The last axes of a family make up blocks of some thousand points. Within a block only a few pieces
of the canonical form change; they are written once for all blocks, and a point costs no more than
putting the pieces together and hashing them. A filter is asked once for each combination of values
that its keys depend on; which filters there are may itself depend on axes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.grid.config_template import combinations, concerns, config_at, fill, put
from orchestrator.grid.config_values import is_known
from orchestrator.grid.filter_evaluation import Questions
from orchestrator.grid.filters import is_key_of
from orchestrator.grid.filters_per_point import naming_the_point
from orchestrator.grid.identity import Gap, canonical_pieces, canonical_value, encode_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.grid.config_template import ConfigTemplate, Part, Path, Positions
    from orchestrator.grid.filters_per_point import Rules, Verdict

# The places in a block that stay, those that go with the filter's number, and those meant.
_Judged: TypeAlias = tuple[list[int], list[tuple[int, int]], list[int] | None]
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Selected:
    """What became of a block: point numbers and digests of those kept, culprits of the others.

    ``dropped`` has, for each point that was excluded, its number and the number of the filter;
    ``meant`` the numbers of those kept that meet a condition, None where there is no condition.
    """

    kept: Sequence[int]
    digests: Sequence[bytes]
    dropped: Sequence[tuple[int, int]]
    meant: Sequence[int] | None = None


class BlockSelection:
    """Sifts the points of one family, whose parts are known.

    ``locate`` writes the point with a number in words, for the message of an error.
    """

    def __init__(
        self,
        family: ConfigTemplate,
        sizes: Sequence[int],
        rules: Rules,
        locate: Callable[[int], str],
    ) -> None:
        self._family = family
        self._parts = family.parts or ()
        self._sizes = sizes
        self._locate = locate
        self._strides = strides(sizes)
        self._first = sum(at * self._strides[number] for number, at in family.fixed.items())
        free = family.free(len(sizes))
        cut = _cut(free, sizes)
        self._outer, self._block = free[:cut], free[cut:]
        self._at = list(combinations(self._block, sizes))
        self._offsets = [self._offset(self._block, positions) for positions in self._at]
        self._questions = Questions(family, sizes, rules, free)

    def unknown(self, keys: Sequence[str]) -> list[str]:
        """Return those of some dotted keys that no point of the family has."""
        return [key for key in keys if not self._knows(key)]

    def sift(self, exclude: Sequence[str]) -> Iterator[Selected]:
        """Yield what becomes of the points, block by block; ``exclude`` does not count for identity.

        Raises:
            FilterError: A filter orders what has no order; the first such point is named.
            IdentityError: A point may have no stable form. It may also be one that is dropped.
        """
        asked = sorted(self._questions.axes)
        verdicts: dict[Positions, _Judged] = {}
        forms = _Forms(self._family, self._parts, exclude, self._block, self._at)
        for positions in combinations(self._outer, self._sizes):
            outer = dict(zip(self._outer, positions, strict=True))
            first = self._first + self._offset(self._outer, positions)
            key = tuple(outer[number] for number in asked if number in outer)
            if key not in verdicts:
                verdicts[key] = self._judge(outer, first)
            kept, dropped, meant = verdicts[key]
            yield Selected(
                [first + self._offsets[at] for at in kept],
                forms.digests(outer, kept) if kept else (),
                [(first + self._offsets[at], number) for at, number in dropped],
                None if meant is None else [first + self._offsets[at] for at in meant],
            )

    def _judge(self, outer: dict[int, int], first: int) -> _Judged:
        """Return the places in the block that stay, those that go, and those that are meant."""
        asked = sorted(self._questions.axes - outer.keys())
        columns = [self._block.index(number) for number in asked]
        verdicts: dict[Positions, Verdict] = {}
        kept, dropped, meant = [], [], []
        for place, positions in enumerate(self._at):
            key = tuple(positions[column] for column in columns)
            if key not in verdicts:
                at = outer | dict(zip(asked, key, strict=True))
                verdicts[key] = self._verdict(at, first + self._offsets[place])
            excluded_by, is_meant = verdicts[key]
            if excluded_by is not None:
                dropped.append((place, excluded_by))
                continue
            kept.append(place)
            if is_meant:
                meant.append(place)
        return kept, dropped, meant if self._questions.has_condition else None

    def _verdict(self, at: dict[int, int], point: int) -> Verdict:
        with naming_the_point(lambda: self._locate(point)):
            return self._questions.judge(at)

    def _knows(self, key: str) -> bool:
        if is_key_of(self._family.config, self._family.choices, key):
            return True
        parts = [part for part in self._parts if concerns(part.path, key)]
        axes = sorted({number for part in parts for number in part.axes})
        return any(
            is_known(config_at(self._family, parts, dict(zip(axes, at, strict=True))), key)
            for at in combinations(axes, self._sizes)
        )

    def _offset(self, axes: Sequence[int], positions: Positions) -> int:
        return sum(self._strides[number] * at for number, at in zip(axes, positions, strict=True))


class _Forms:
    """The canonical forms of a family: pieces that stay, and pieces that change with axes."""

    def __init__(
        self,
        family: ConfigTemplate,
        parts: Sequence[Part],
        exclude: Sequence[str],
        block: Positions,
        places: Sequence[Positions],
    ) -> None:
        parts = [part for part in parts if part.path not in family.references]
        gaps = {id(part): Gap(number) for number, part in enumerate(parts)}
        config = fill(put(family.config, family.references), parts, lambda part: gaps[id(part)])  # type: ignore[arg-type,return-value] # gaps stand for values
        self._pieces = canonical_pieces(config, exclude)
        self._parts = parts
        self._block, self._places = block, places
        self._texts = [
            {
                at: encode_form(canonical_value(v, dotted(part.path), exclude))
                for at, v in part.values.items()
            }
            for part in parts
        ]
        self._inner = [
            piece
            for piece in self._pieces
            if isinstance(piece, int) and not set(parts[piece].axes).isdisjoint(block)
        ]
        mixed = {number for piece in self._inner for number in parts[piece].axes} - set(block)
        self._mixed = sorted(mixed)
        self._rows: dict[Positions, list[tuple[bytes, ...]]] = {}

    def digests(self, outer: dict[int, int], kept: Sequence[int]) -> list[bytes]:
        """Return the digests of those places of a block that stay."""
        key = tuple(outer[number] for number in self._mixed)
        if key not in self._rows:
            self._rows = {key: self._write_rows(outer)}  # only the last: others would fill memory
        rows = self._rows[key]
        if len(kept) < len(rows):
            rows = [rows[place] for place in kept]
        return [found.digest() for found in map(sha256, map(self._form(outer).__mod__, rows))]

    def _form(self, outer: dict[int, int]) -> bytes:
        """Return the canonical form of a block, with ``%b`` where its points differ."""
        pieces = []
        for piece in self._pieces:
            if isinstance(piece, str):
                pieces.append(encode_form(piece).replace(b"%", b"%%"))
            elif piece in self._inner:
                pieces.append(b"%b")
            else:
                at = tuple(outer[number] for number in self._parts[piece].axes)
                pieces.append(self._texts[piece][at].replace(b"%", b"%%"))
        return b"".join(pieces)

    def _write_rows(self, outer: dict[int, int]) -> list[tuple[bytes, ...]]:
        if not self._inner:
            return [()] * len(self._places)
        columns = []
        for piece in self._inner:
            texts, axes = self._texts[piece], self._parts[piece].axes
            where = [(n in outer, outer[n] if n in outer else self._block.index(n)) for n in axes]
            columns.append(
                [
                    texts[tuple(at if is_outer else positions[at] for is_outer, at in where)]
                    for positions in self._places
                ]
            )
        return list(zip(*columns, strict=True))


def strides(sizes: Sequence[int]) -> list[int]:
    """Return how far the number of a point moves with a step on each axis."""
    return [*itertools.accumulate(reversed(sizes[1:]), lambda a, b: a * b, initial=1)][::-1][
        : len(sizes)
    ]


def dotted(path: Path) -> str:
    """Write a path as keys are written in the config, list items in brackets."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) and text else f".{step}" if text else str(step)
    return text


def _cut(free: Positions, sizes: Sequence[int]) -> int:
    """Return where the axes of a block begin."""
    cut, size = len(free), 1
    while cut and (cut == len(free) or size * sizes[free[cut - 1]] <= _BLOCK):
        cut -= 1
        size *= sizes[free[cut]]
    return cut
