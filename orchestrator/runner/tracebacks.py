"""Tracebacks in the output of a program: where they stand, what they say, and whether they end it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


class Weight(Enum):
    """What a traceback means for the program that printed it."""

    ENDS = "ends"  # it ends the program, unless it was caught
    MAY_END = "may end"  # it ends a thread or a task: the program may have continued
    NOTHING = "nothing"  # it is only printed


@dataclass(frozen=True, slots=True)
class Trace:
    """A traceback with its exception, from line ``start`` to before ``end``.

    ``reasons`` are the exceptions that it was raised from; the first of its chain begins at
    ``chain_start``.
    """

    start: int
    end: int
    error: str
    weight: Weight
    rank: str = ""
    reasons: tuple[str, ...] = ()
    chain_start: int = -1


# As PyTorch and torchrun put it before each line, and mpirun, which names the stream.
_PREFIX: Final = r"\[(?:rank|default|[\w.@-]*,(?=\d+\]<))(\d+)\](?:<std(?:err|out)>)?: ?"
RANK: Final = re.compile(f"^{_PREFIX}")
_BETWEEN_RANKS = re.compile(rf"(?<=.)(?={_PREFIX})")
_HEADER = re.compile(
    r"^(?:Original )?Traceback \(most recent call last\):?|^[╭┌].* Traceback \(most"
)
_TOP = re.compile(r"^\s*\+ Exception Group Traceback \(most recent call last\):")
# A group that ``except*`` makes has no traceback of its own.
_GROUP = re.compile(rf"{_TOP.pattern}|^  \| (?:\w+\.)*\w+: .*\(\d+ sub-exceptions?\)$")
_INNER = re.compile(r"(?:Exception Group )?Traceback \(most recent call last\):")
_BRANCH = re.compile(r"\s*[|+]")
_FORK = re.compile(r"\s*(?:\+-)?\+-+(?: (?:\d+|\.\.\.) -+)?$")
_CELL: Final = 300  # lines of a traceback of IPython
_MESSAGE: Final = 20  # lines of the message of one exception in a group
_FRAME = re.compile(r"^(?:\s|[│╭╰┌└|]|> File \")")  # the last as loguru marks where it was caught
_PLACE = re.compile(r'\s+File "(.*)", line (\d+), in (.*)')
_OUTERMOST = re.compile(r"<module>$|_run_module_as_main$")
_HYDRAS_JOB: Final = "Error executing job with overrides: ["
# IPython, and Jupyter
_OF_CELL = re.compile(r"([A-Za-z_][\w.]*) {2,}Traceback \(most recent call last\)$")
_REMOTE_FRAME = re.compile(r'\s+File "')
_DIRECT: Final = "The above exception was the direct cause of the following exception:"
_DURING: Final = "During handling of the above exception, another exception occurred:"
_ENDS_NOTHING = re.compile(
    r"Exception ignored |Error in atexit|--- Logging error ---|Error in sys\.unr"
)
_MAY_END = re.compile(
    r"Exception in thread |Task exception was never|Exception in callback|future: <Task"
)


def sort_by_rank(lines: Sequence[str]) -> list[str]:
    """Return lines in which those that ranks have printed at once are apart, one rank after the other.

    The rank that has printed last comes last.
    """
    ordered: list[str] = []
    of_ranks: dict[str, list[str]] = {}
    rank = ""
    for line in lines:
        found = RANK.match(line)
        if not found and (line or not of_ranks):
            ordered += (each for own in of_ranks.values() for each in own)
            of_ranks.clear()
            ordered.append(line)
            continue
        for piece in _split_ranks(line) if found else [line]:  # a blank line has no prefix
            own = RANK.match(piece)
            rank = own[1] if own else rank
            of_rank = of_ranks.pop(rank, [])
            of_rank.append(piece)
            of_ranks[rank] = of_rank
    return [*ordered, *(each for own in of_ranks.values() for each in own)]


def _split_ranks(line: str) -> list[str]:
    places = [0, *(found.start() for found in _BETWEEN_RANKS.finditer(line)), len(line)]
    return [line[start:end] for start, end in pairwise(places)]


def read_tracebacks(lines: Sequence[str]) -> list[Trace]:
    """Return all tracebacks in the output, in their order."""
    plain = [RANK.sub("", line) for line in lines]
    blocks: list[Trace] = []
    at = 0
    while at < len(lines):
        block = _read_group(plain, at) if _GROUP.match(plain[at]) else _read_one(plain, at)
        if block is None:
            at += 1
            continue
        rank = RANK.match(lines[at])
        block = replace(block, rank=rank[1] if rank else "")
        if blocks and _is_in_note(plain, blocks[-1], block):
            blocks[-1] = replace(blocks[-1], end=block.end)
        else:
            blocks.append(_in_context(plain, block, blocks))
        at = max(block.end, at + 1)
    return blocks


def _is_in_note(lines: Sequence[str], before: Trace, block: Trace) -> bool:
    """Return whether a traceback stands in a note of the exception before it: it is from an earlier time.

    An exception that ends a program comes from its outermost frame; one that was caught and printed before
    the next one only comes from there if it was caught there, on a line before that of the next one. A message
    that announces the traceback of another process, as PyTorch's do, tells the cause.
    """
    if before.error.endswith(":") or not lines[block.start].startswith("Traceback"):
        return False
    first = next(filter(None, map(_PLACE.match, lines[before.start : before.end])), None)
    second = next(filter(None, map(_PLACE.match, lines[block.start : block.end])), None)
    if block.start != before.end or first is None or second is None:
        return False
    above = lines[before.start - 1] if before.start else ""
    if not (_OUTERMOST.match(first[3]) or above.startswith(_HYDRAS_JOB)):
        return False
    if (first[1], first[3]) == (second[1], second[3]):
        return int(second[2]) < int(first[2])
    return not _OUTERMOST.match(second[3])


def _read_one(lines: Sequence[str], start: int) -> Trace | None:
    if of_cell := _OF_CELL.match(lines[start]):
        return _read_cell(lines, start, of_cell[1])
    cut = start == 0 and lines[0][:1].isspace() and any('File "' in line for line in lines[:4])
    if not (cut or _HEADER.match(lines[start])):
        if _ENDS_NOTHING.match(lines[start]) and not any(
            map(_HEADER.match, lines[start + 1 : start + 2])
        ):
            return Trace(start, min(start + 2, len(lines)), "", Weight.NOTHING)
        return None
    at = start + 1
    while at < len(lines) and (not lines[at] or _FRAME.match(lines[at])):
        at += 1
    # Of a remote exception, the frames and the exception itself follow the one that was raised here.
    if any(map(_REMOTE_FRAME.match, lines[at + 1 : at + 2])):
        at += 1
        while at + 1 < len(lines) and (not lines[at] or _FRAME.match(lines[at])):
            at += 1
    error = lines[at].strip() if at < len(lines) else ""
    if error.endswith(":") and at + 1 < len(lines) and not _HEADER.match(lines[at + 1]):
        error = f"{error} {lines[at + 1].strip()}"
    return Trace(start, at + 1, error, Weight.ENDS)


def _read_cell(lines: Sequence[str], start: int, name: str) -> Trace | None:
    """Read a traceback of IPython, which names the exception at both ends."""
    for at in range(start + 1, min(start + _CELL, len(lines))):
        if lines[at] == name or lines[at].startswith(f"{name}: "):
            return Trace(start, at + 1, lines[at], Weight.ENDS)
    return None


def _read_group(lines: Sequence[str], start: int) -> Trace:
    """Read an exception group, printed as a tree: its first leaf, and the number of leaves."""
    tree, end = _lines_of_group(lines, start)
    leaves: list[str] = []
    reasons: dict[int, tuple[str, ...]] = {}
    is_open = False
    for line in tree:
        text = re.sub(r"^[\s|]*", "", line)
        if leaves and text in (_DIRECT, _DURING):  # the exception of this leaf follows
            told = leaves.pop()
            before = (*reasons.pop(len(leaves), ()), told)
            reasons[len(leaves)] = before if text == _DIRECT else ()
            is_open = True
        elif text.startswith("+"):
            is_open = re.search(r"-- (?:\d+|\.\.\.) -", text) is not None
        elif is_open and text and not _INNER.match(text) and not line.endswith("^"):
            depth = re.match(r"[\s|+]*\| (\s*)", line)
            if depth and not depth[1]:
                leaves.append(text)
                is_open = False
    whole = next((text for text in tree if re.match(r"\s*\| \w", text)), "")
    kept = [
        at for at, leaf in enumerate(leaves) if not re.search(r"\(\d+ sub-exceptions?\)$", leaf)
    ]
    more = f" (and {len(kept) - 1} more)" if len(kept) > 1 else ""
    error = (
        f"{leaves[kept[0]].splitlines()[0]}{more}" if kept else whole.partition("\n")[0].strip(" |")
    )
    return Trace(start, end, error, Weight.ENDS, reasons=reasons.get(kept[0], ()) if kept else ())


def _lines_of_group(lines: Sequence[str], start: int) -> tuple[list[str], int]:
    """Return the lines of the tree that begins at ``start``, and where it ends.

    Python draws no branch before the further lines of a message: they are added to its first one.
    """
    tree, end = [lines[start]], start + 1
    while end < len(lines):
        goes_on = next(
            (at for at, it in enumerate(lines[end : end + _MESSAGE]) if _BRANCH.match(it)), None
        )
        if goes_on is None or any(map(_TOP.match, lines[end : end + goes_on + 1])):
            break  # that of the next rank
        if goes_on and not _FORK.match(lines[end + goes_on]):
            break
        tree[-1] = "\n".join([tree[-1], *map(str.strip, lines[end : end + goes_on])])
        tree.append(lines[end + goes_on])
        end += goes_on + 1
    return tree, end


def _in_context(lines: Sequence[str], block: Trace, before: Sequence[Trace]) -> Trace:
    """Add what the lines before a traceback say about it: its weight, or its cause."""
    near = lines[max(0, block.start - 8) : block.start]
    said = [line for line in near if line.strip(' "')][-3:]
    above = said[-1] if said else ""
    if above in (_DIRECT, _DURING) and before:
        cause = before[-1]
        reasons = (*cause.reasons, cause.error) if above == _DIRECT else ()
        first = cause.start if cause.chain_start < 0 else cause.chain_start
        return replace(
            block, weight=cause.weight, reasons=(*reasons, *block.reasons), chain_start=first
        )
    for pattern, weight in ((_ENDS_NOTHING, Weight.NOTHING), (_MAY_END, Weight.MAY_END)):
        if pattern.match(above):
            return replace(block, start=block.start - 1, weight=weight)
    if any(_MAY_END.match(line) for line in said[-2:]):
        return replace(block, weight=Weight.MAY_END)
    return block
