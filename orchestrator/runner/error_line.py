"""The error line: finds the error that ended a program in the end of its output.

It is seldom the last line: after the exception that ends a Python program come errors that do not
end it (``__del__``, ``atexit``), the output of a wrapper (torchrun, Hydra, a shell), and warnings.
A wrapper also reports the exit code of the process that failed first, which counts instead of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from orchestrator.runner.other_languages import message_above_stack, signal_described
from orchestrator.runner.wrapper_exit_codes import (
    code_of_child,
    code_of_subprocess,
    signal_reported,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of a program's end, as the program or its wrapper reported it.

    ``message`` is one line; ``reasons`` are the exceptions that the last one was raised from.
    ``exit_code`` is that of the failed process, if a wrapper reports it, negative for a signal.
    ``is_exception`` tells whether an exception is known to have ended the program.
    """

    message: str = ""
    reasons: tuple[str, ...] = ()
    exit_code: int | None = None
    is_exception: bool = False


class _Weight(Enum):
    ENDS = "ends"  # it ends the program, unless it was caught
    MAY_END = "may end"  # it ends a thread or a task: the program may have continued
    NOTHING = "nothing"  # it is only printed


@dataclass(frozen=True, slots=True)
class _Trace:
    """A traceback with its exception, from line ``start`` to before ``end``."""

    start: int
    end: int
    error: str
    weight: _Weight
    rank: str = ""
    reasons: tuple[str, ...] = ()


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_RANK = re.compile(r"\[(?:rank|default)(\d+)\]:\s?")
_HEADER = re.compile(
    r"^(?:Original )?Traceback \(most recent call last\):?|^[╭┌].* Traceback \(most"
)
_GROUP = re.compile(r"^\s*\+ Exception Group Traceback \(most recent call last\):")
_FRAME = re.compile(r"^(?:\s|[│╭╰┌└|])")
_DIRECT: Final = "The above exception was the direct cause of the following exception:"
_DURING: Final = "During handling of the above exception, another exception occurred:"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b(?::|$)")
_ENDS_NOTHING = re.compile(
    r"Exception ignored |Error in atexit|--- Logging error ---|Error in sys\.unr"
)
_MAY_END = re.compile(
    r"Exception in thread |Task exception was never|Exception in callback|future: <Task"
)
# What others print after the cause.
_ASIDES = re.compile(
    r"Set the environment variable HYDRA_FULL_ERROR=1"
    r"|\S+:\d+: \w*Warning: |sys:1: \w*Warning: "
    r"|\[[WEI]\d* |\[[WEI]\d*[\d:. -]+|[WEI]\d{4} [\d:.]+ "
    r"|note: run with `RUST_BACKTRACE"
    r"|make(?:\[\d+\])?: \*\*\* |ERROR conda\.cli|srun: error: .* Exited with exit code"
    r"|wandb: |ERROR:torch\.distributed\.elastic|WARNING:torch\.distributed\.elastic"
)
_FINAL_WORD = re.compile(r"(?:\S+: )?(?:error|fatal|abort)(?:: |\[)", re.IGNORECASE)
_MANY: Final = 20  # lines after a traceback: it was caught, and the program continued
_HYDRA: Final = "Set the environment variable HYDRA_FULL_ERROR=1"
_HYDRAS_FIRST = re.compile(
    r"Could not |In '|You must specify|Key '|Error |Cannot find |Primary config|Unable to "
    r"|mismatched input|no viable alternative|extraneous input|token recognition|Multiple values"
    r"|Interpolation|Missing mandatory|Ambiguous value|Config group override|Invalid |Value '"
    r"|Unsupported |Unexpected |Override |Environment variable '|Defaults "
)
_RECORDED = re.compile(r"Root Cause.*?traceback : Traceback .*?\n *(\S[^\n]*)\n=", re.DOTALL)
_FLUSH_FAILED: Final = 120  # Python's exit code if its output cannot be written at the end
_ROOT = re.compile(r"Root Cause.*?rank\s*: (\d+).*?exitcode\s*: (-?\d+)", re.DOTALL)


def find_cause(output: str, exit_code: int) -> Cause:
    """Return the cause of a program's end, from its output and exit code."""
    text = re.sub(r"\r\n?", "\n", _ESCAPES.sub("", output))
    return _find([line.rstrip() for line in text.split("\n")], exit_code, rank="")


def _find(lines: Sequence[str], exit_code: int, *, rank: str) -> Cause:
    blocks = _read_blocks(lines)
    said = _without(lines, [each for each in blocks if each.weight is _Weight.NOTHING])
    last = said[-1] if said else ""
    if code := code_of_child(last):
        return replace(_find(lines[: lines.index(last)], code, rank=rank), exit_code=code)
    block = _choose(blocks, rank)
    if block is None:
        return _unwritten(lines, blocks, exit_code) or _last_line(said)
    if wrapped := _unwrap(lines, block):
        return wrapped
    after = _without(lines[block.end :], [])
    if block.weight is _Weight.MAY_END and after:
        return _last_line(said)
    if after and _is_caught(after, exit_code):
        return _last_line(said)
    number = signal_reported(block.error, after)
    code = None if number is None else -number
    return Cause(block.error, block.reasons, code, is_exception=True)


def _unwritten(lines: Sequence[str], blocks: Sequence[_Trace], exit_code: int) -> Cause | None:
    """Return why Python could not write its output at its end, if that is the cause of this end."""
    for each in reversed(blocks):
        if exit_code == _FLUSH_FAILED and "'<std" in lines[each.start]:
            return Cause(lines[each.end - 1].strip(), is_exception=True)
    return None


def _choose(blocks: Sequence[_Trace], rank: str) -> _Trace | None:
    """Return the traceback that probably ended the program: the last one, or the last of a rank."""
    for weight in (_Weight.ENDS, _Weight.MAY_END):
        of_weight = [each for each in blocks if each.weight is weight]
        if rank and (of_rank := [each for each in of_weight if each.rank == rank]):
            return of_rank[-1]
        if of_weight:
            return of_weight[-1]
    return None


def _is_caught(after: Sequence[str], exit_code: int) -> bool:
    """Return whether a program continued after a traceback, from its output there.

    An uncaught exception ends Python with exit code 1, and is the last thing that it prints.
    """
    if exit_code > 1 or len(after) > _MANY:
        return True
    return _FINAL_WORD.match(after[-1]) is not None


def _last_line(said: Sequence[str]) -> Cause:
    if any(line.startswith(_HYDRA) for line in said):
        return Cause(_first_of_hydra(said))
    said = [line for line in said if not _ASIDES.match(line)]
    if above := message_above_stack(said):
        return Cause(above)
    last = said[-1].strip() if said else ""
    number = signal_described(last)
    return Cause(
        _RANK.sub("", last),
        exit_code=None if number is None else -number,
        is_exception=_EXCEPTION.match(last) is not None,
    )


def _first_of_hydra(said: Sequence[str]) -> str:
    """Return the line of Hydra's error that names the problem; choices and places follow it."""
    end = max(at for at, line in enumerate(said) if line.startswith(_HYDRA))
    known = (
        line for line in said[:end] if _HYDRAS_FIRST.match(line) and "overrides: [" not in line
    )
    return next(known, said[end - 1] if end else "").strip()


def _without(lines: Sequence[str], blocks: Sequence[_Trace]) -> list[str]:
    """Return the lines that are not empty, without some blocks and without asides."""
    hidden = {at for each in blocks for at in range(each.start, each.end)}
    kept = []
    skips_frame = False
    for at, line in enumerate(lines):
        if at in hidden or not line.strip():
            continue
        if skips_frame and line[0].isspace():  # the source line of a warning
            continue
        skips_frame = _ASIDES.match(line) is not None
        if not skips_frame or line.startswith(_HYDRA):
            kept.append(line)
    return kept


def _unwrap(lines: Sequence[str], block: _Trace) -> Cause | None:
    """Return the cause that a wrapper's exception reports of its child process; None if it is not one."""
    error, before = block.error, lines[: block.start]
    if "ChildFailedError" in error:
        root = _ROOT.search("\n".join(lines[block.end - 1 :]))
        code, rank = (int(root[2]), root[1]) if root else (1, "")
        inner = _find(before, code, rank=rank)
        if not inner.is_exception and (told := _RECORDED.search("\n".join(lines[block.end - 1 :]))):
            inner = Cause(told[1], is_exception=True)
        return replace(inner, exit_code=code) if code < 0 else inner
    status = code_of_subprocess(error)
    if status is None or status < 0:
        return None if status is None else Cause(error, exit_code=status, is_exception=True)
    inner = _find(before, status, rank="")
    found_more = inner.message or inner.exit_code is not None
    return replace(inner, exit_code=inner.exit_code or status) if found_more else None


def _read_blocks(lines: Sequence[str]) -> list[_Trace]:
    blocks: list[_Trace] = []
    at = 0
    while at < len(lines):
        block = _read_group(lines, at) if _GROUP.match(lines[at]) else _read_one(lines, at)
        if block is None:
            at += 1
            continue
        blocks.append(_in_context(lines, block, blocks))
        at = max(block.end, at + 1)
    return blocks


def _read_one(lines: Sequence[str], start: int) -> _Trace | None:
    rank = _RANK.match(lines[start])
    strip = rank.end() if rank else 0
    cut = start == 0 and lines[0][:1].isspace() and any('File "' in line for line in lines[:4])
    if not (cut or _HEADER.match(lines[start][strip:])):
        if _ENDS_NOTHING.match(lines[start]) and not any(
            map(_HEADER.match, lines[start + 1 : start + 2])
        ):
            return _Trace(start, min(start + 2, len(lines)), "", _Weight.NOTHING)
        return None
    at = start + 1
    while at < len(lines) and (not lines[at][strip:] or _FRAME.match(lines[at][strip:])):
        at += 1
    error = lines[at][strip:].strip() if at < len(lines) else ""
    if error.endswith(":") and at + 1 < len(lines) and not _HEADER.match(lines[at + 1]):
        error = f"{error} {lines[at + 1][strip:].strip()}"
    return _Trace(start, at + 1, error, _Weight.ENDS, rank[1] if rank else "")


def _read_group(lines: Sequence[str], start: int) -> _Trace:
    """Read an exception group, printed as a tree: its first leaf, and the number of leaves."""
    end = start + 1
    while end < len(lines) and re.match(r"\s*[|+]", lines[end]):
        end += 1
    leaves = []
    is_open = False
    for line in lines[start:end]:
        text = re.sub(r"^[\s|]*", "", line)
        if text.startswith("+"):
            is_open = re.search(r"-- (?:\d+|\.\.\.) -", text) is not None
        elif is_open and text and not text.startswith("Traceback") and not line.endswith("^"):
            depth = re.match(r"[\s|+]*\| (\s*)", line)
            if depth and not depth[1]:
                leaves.append(text)
                is_open = False
    whole = next((text.strip(" |") for text in lines[start:end] if re.match(r"\s*\| \w", text)), "")
    leaves = [leaf for leaf in leaves if not re.search(r"\(\d+ sub-exceptions?\)$", leaf)]
    more = f" (and {len(leaves) - 1} more)" if len(leaves) > 1 else ""
    return _Trace(start, end, f"{leaves[0]}{more}" if leaves else whole, _Weight.ENDS)


def _in_context(lines: Sequence[str], block: _Trace, before: Sequence[_Trace]) -> _Trace:
    """Add what the lines before a traceback say about it: its weight, or its cause."""
    near = lines[max(0, block.start - 8) : block.start]
    said = [line for line in near if line.strip(' "')][-3:]
    above = _RANK.sub("", said[-1]) if said else ""
    if above in (_DIRECT, _DURING) and before:
        cause = before[-1]
        reasons = (*cause.reasons, cause.error) if above == _DIRECT else ()
        return replace(block, weight=cause.weight, reasons=reasons)
    for pattern, weight in ((_ENDS_NOTHING, _Weight.NOTHING), (_MAY_END, _Weight.MAY_END)):
        if pattern.match(above):
            return replace(block, start=block.start - 1, weight=weight)
    if any(_MAY_END.match(line) for line in said[-2:]):
        return replace(block, weight=_Weight.MAY_END)
    return block
