"""Filtering in blocks: which points of a config template are kept, with the digests of their configs.

The last axes of a template span blocks of a few thousand points. Within a block only a few pieces of
the canonical form vary; they are encoded once for all blocks, so a point costs no more than joining
and hashing the pieces. A filter is evaluated once per combination of the values that its keys depend
on; which filters apply may itself depend on axes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.grid.config_template import combinations, fill, put
from orchestrator.grid.filter_evaluation import NO_POINT, FilterEvaluation, has_key
from orchestrator.grid.filters_per_point import naming_the_point
from orchestrator.grid.identity import Gap, canonical_pieces, canonical_value, encode_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestrator.grid.config_template import ConfigTemplate, Part, Path, Positions
    from orchestrator.grid.filters_per_point import Rules, Verdict

# The kept places in a block, the dropped ones with the filter's number, and the selected ones.
_Judged: TypeAlias = tuple[list[int], list[tuple[int, int]], list[int] | None]
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Selected:
    """The result for a block: numbers and digests of the kept points, ``excluded_by`` of the others.

    ``dropped`` has the number of each excluded point and the number of the filter that excluded it;
    ``meant`` the numbers of the kept points that meet the condition, None without a condition.
    """

    kept: Sequence[int]
    digests: Sequence[bytes]
    dropped: Sequence[tuple[int, int]]
    meant: Sequence[int] | None = None

    def moved(self, first: int) -> Selected:
        """Return it with all numbers of points greater by ``first``."""
        if not first:
            return self
        return Selected(
            [first + number for number in self.kept],
            self.digests,
            [(first + number, excluded_by) for number, excluded_by in self.dropped],
            None if self.meant is None else [first + number for number in self.meant],
        )


class BlockSelection:
    """Selects the points of one template whose parts are known.

    ``locate`` describes the point with a number, for error messages. ``steps`` is by how much the
    number of a point changes per step on each axis; None: as ``strides`` tells.
    """

    def __init__(
        self,
        template: ConfigTemplate,
        sizes: Sequence[int],
        rules: Rules,
        locate: Callable[[int], str],
        steps: Sequence[int] | None = None,
    ) -> None:
        self._template = template
        self._parts = template.parts or ()
        self._sizes = sizes
        self._locate = locate
        self._strides = strides(sizes) if steps is None else steps
        self._first = sum(at * self._strides[number] for number, at in template.fixed.items())
        free = template.free(len(sizes))
        cut = _cut(free, sizes)
        self._outer, self._block = free[:cut], free[cut:]
        self._at = list(combinations(self._block, sizes))
        self._offsets = [self._offset(self._block, positions) for positions in self._at]
        self._evaluation = FilterEvaluation(template, sizes, rules, free)

    def unknown(self, keys: Sequence[str]) -> list[str]:
        """Return those of the dotted keys that no point of the template has."""
        return [key for key in keys if not has_key(self._template, self._sizes, key)]

    def select(self, exclude: Sequence[str]) -> Iterator[Selected]:
        """Yield the kept and dropped points block by block; ``exclude`` is not part of the run ID.

        Raises:
            FilterError: A filter orders values that have no order; the first such point is named.
            IdentityError: A point, possibly a dropped one, has no stable form.
        """
        asked = sorted(self._evaluation.axes)
        verdicts: dict[Positions, _Judged] = {}
        forms = _Forms(self._template, self._parts, exclude, self._block, self._at)
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
        """Return the kept, dropped and selected places in the block."""
        asked = sorted(self._evaluation.axes - outer.keys())
        columns = [self._block.index(number) for number in asked]
        verdicts: dict[Positions, Verdict] = {}
        kept, dropped, meant = [], [], []
        for place, positions in enumerate(self._at):
            key = tuple(positions[column] for column in columns)
            if key not in verdicts:
                at = outer | dict(zip(asked, key, strict=True))
                verdicts[key] = self._verdict(at, first + self._offsets[place])
            if verdicts[key] is NO_POINT:
                continue
            excluded_by, is_meant = verdicts[key]
            if excluded_by is not None:
                dropped.append((place, excluded_by))
                continue
            kept.append(place)
            if is_meant:
                meant.append(place)
        return kept, dropped, meant if self._evaluation.has_condition else None

    def _verdict(self, at: dict[int, int], point: int) -> Verdict:
        with naming_the_point(lambda: self._locate(point)):
            return self._evaluation.judge(at)

    def _offset(self, axes: Sequence[int], positions: Positions) -> int:
        return sum(self._strides[number] * at for number, at in zip(axes, positions, strict=True))


class _Forms:
    """The canonical forms of a template: constant pieces, and pieces that vary with axes."""

    def __init__(
        self,
        template: ConfigTemplate,
        parts: Sequence[Part],
        exclude: Sequence[str],
        block: Positions,
        places: Sequence[Positions],
    ) -> None:
        parts = [part for part in parts if part.path not in template.references]
        gaps = {id(part): Gap(number) for number, part in enumerate(parts)}
        config = fill(put(template.config, template.references), parts, lambda part: gaps[id(part)])  # type: ignore[arg-type,return-value] # gaps in place of values
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
        """Return the digests of the kept places of a block."""
        key = tuple(outer[number] for number in self._mixed)
        if key not in self._rows:
            self._rows = {key: self._write_rows(outer)}  # only the last, to save memory
        rows = self._rows[key]
        if len(kept) < len(rows):
            rows = [rows[place] for place in kept]
        return [found.digest() for found in map(sha256, map(self._form(outer).__mod__, rows))]

    def _form(self, outer: dict[int, int]) -> bytes:
        """Return the canonical form of a block with ``%b`` where its points differ."""
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
    """Return by how much the number of a point changes per step on each axis."""
    return [*itertools.accumulate(reversed(sizes[1:]), lambda a, b: a * b, initial=1)][::-1][
        : len(sizes)
    ]


def dotted(path: Path) -> str:
    """Return a path as a dotted key, list items in brackets."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) and text else f".{step}" if text else str(step)
    return text


def _cut(free: Positions, sizes: Sequence[int]) -> int:
    """Return the index of the first axis of a block."""
    cut, size = len(free), 1
    while cut and (cut == len(free) or size * sizes[free[cut - 1]] <= _BLOCK):
        cut -= 1
        size *= sizes[free[cut]]
    return cut
