"""The error line: finds the error that ended a program in the end of its output.

It is seldom the last line: after the exception that ends a Python program come errors that do not
end it (``__del__``, ``atexit``), the output of a wrapper (torchrun, Hydra, a shell), and warnings.
A wrapper also reports the exit code of the process that failed first, which counts instead of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.runner.continued_output import has_continued
from orchestrator.runner.json_log_lines import exception_in
from orchestrator.runner.npm_errors import without_npm
from orchestrator.runner.other_languages import (
    message_above_caret,
    message_above_stack,
    message_of_sanitizer,
    signal_described,
)
from orchestrator.runner.output_asides import (
    HYDRA,
    last_report,
    places_without_asides,
    without_asides,
)
from orchestrator.runner.output_lines import lines_of
from orchestrator.runner.told_causes import causes_below, error_above_causes
from orchestrator.runner.tracebacks import RANK, Trace, Weight, read_tracebacks, sort_by_rank
from orchestrator.runner.wrapper_exit_codes import (
    code_of_child,
    code_of_subprocess,
    signal_reported,
    tells_exit_code,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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


_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b(?::|$)")
_FINAL_WORD = re.compile(r"(?:\S+: )?(?:error|fatal|abort)(?:: |\[)", re.IGNORECASE)
_LOST_CHILD = re.compile(
    r"DataLoader worker \(pid\(s\) .*\) exited unexpectedly|BrokenProcessPool: "
)
_BOX = re.compile(r"^[\s│|╭╮╰╯─┌┐└┘]+|[\s│|╭╮╰╯─┌┐└┘]+$")
_MANY: Final = 20  # lines after a traceback that may be a message, whatever they look like
_HYDRAS_FIRST = re.compile(
    r"Could not |In '|You must specify|Key '|Error |Cannot find |Primary config|Unable to "
    r"|mismatched input|no viable alternative|extraneous input|token recognition|Multiple values"
    r"|Interpolation|Missing mandatory|Ambiguous value|Config group override|Invalid |Value '"
    r"|Unsupported |Unexpected |Override |Environment variable '|Defaults "
)
_HYDRAS_JOB: Final = "Error executing job with overrides: ["
_SAYS_WHICH = re.compile(r"Error (?:merging|parsing) override|.*:$")
_PLACE = re.compile(r"\s*(?:full_key: |(?:object|reference)_type=|\^$|See https://hydra\.cc/)")
_RECORDED = re.compile(r"Root Cause.*?traceback : Traceback .*?\n *(\S[^\n]*)\n=", re.DOTALL)
_FLUSH_FAILED: Final = 120  # Python's exit code if its output cannot be written at the end
_ROOT = re.compile(r"Root Cause.*?rank\s*: (\d+).*?exitcode\s*: (-?\d+)", re.DOTALL)


def find_cause(output: str, exit_code: int) -> Cause:
    """Return the cause of a program's end, from its output and exit code."""
    return _find(sort_by_rank(lines_of(output)), exit_code, rank="")


def _find(lines: Sequence[str], exit_code: int, *, rank: str) -> Cause:
    blocks = read_tracebacks(lines)
    said = _without(lines, [each for each in blocks if each.weight is Weight.NOTHING])
    for at in _places_of_reports(lines):
        if code := code_of_child(lines[at], exit_code):
            inner = _find(lines[:at], code, rank=rank)
            if code > 0 and not inner.message:
                inner = replace(inner, message=last_report(lines))
            return inner if inner.exit_code else replace(inner, exit_code=code)
    block = _choose([each for each in blocks if each.error], rank)
    if block is None:
        return _unwritten(lines, blocks, exit_code) or _last_line(lines, said)
    if wrapped := _unwrap(lines, block) or _of_lost_child(blocks, block):
        return wrapped
    after = without_asides(lines[block.end :])
    if after and (block.weight is Weight.MAY_END or _is_caught(lines, block, exit_code)):
        return _last_line(lines, said)
    number = signal_reported(block.error, after)
    code = None if number is None else -number
    reasons = (*block.reasons, *causes_below(after))
    return Cause(block.error, reasons, code, is_exception=True)


def _places_of_reports(lines: Sequence[str]) -> Iterator[int]:
    """Yield where wrappers may report on their child: the last line, and the asides behind it."""
    last = max(places_without_asides(lines), default=-1)
    return (at for at in reversed(range(max(0, last), len(lines))) if lines[at].strip())


def _unwritten(lines: Sequence[str], blocks: Sequence[Trace], exit_code: int) -> Cause | None:
    """Return why Python could not write its output at its end, if that is the cause of this end."""
    for each in reversed(blocks):
        if exit_code == _FLUSH_FAILED and "'<std" in lines[each.start]:
            return Cause(lines[each.end - 1].strip(), is_exception=True)
    return None


def _choose(blocks: Sequence[Trace], rank: str) -> Trace | None:
    """Return the traceback that probably ended the program: the last one, or the last of a rank."""
    for weight in (Weight.ENDS, Weight.MAY_END):
        of_weight = [each for each in blocks if each.weight is weight]
        if rank and (of_rank := [each for each in of_weight if each.rank == rank]):
            return of_rank[-1]
        if of_weight:
            return of_weight[-1]
    return None


def _is_caught(lines: Sequence[str], block: Trace, exit_code: int) -> bool:
    """Return whether a program continued after a traceback, from its output there.

    An uncaught exception ends Python with exit code 1, and is the last thing that it prints. Its message may
    have any number of lines, and other ranks may print whatever they like.
    """
    after = lines[block.end :]
    own = [RANK.sub("", line) for line in after if _rank_of(line) in ("", block.rank)]
    said = without_asides(own)
    if exit_code > 1:
        return True
    if len(said) > _MANY and has_continued(lines[: block.start], own):
        return True
    return bool(said and _FINAL_WORD.match(said[-1])) and not tells_exit_code(said[-1])


def _rank_of(line: str) -> str:
    return found[1] if (found := RANK.match(line)) else ""


def _last_line(lines: Sequence[str], said: Sequence[str]) -> Cause:
    if any(line.startswith(HYDRA) for line in said):
        return Cause(_first_of_hydra(said))
    if not said:
        return Cause(last_report(lines))
    if record := exception_in(said[-1]):
        return replace(find_cause(record, 1), is_exception=True)
    if found := _error_above(said):
        return found
    said = without_npm([line for line in said if _BOX.sub("", line)] or said)
    last = _BOX.sub("", said[-1]) or said[-1].strip()
    number = signal_described(last)
    return Cause(
        RANK.sub("", last),
        exit_code=None if number is None else -number,
        is_exception=_EXCEPTION.match(last) is not None,
    )


def _error_above(said: Sequence[str]) -> Cause | None:
    """Return the error of a program that tells more below it: a stack, causes, or a place."""
    if found := message_above_stack(said):
        return Cause(found[0], causes_below(found[1]))
    if chain := error_above_causes(said):
        return Cause(": ".join((chain[0], *chain[1])))
    told = message_above_caret(said) or message_of_sanitizer(said)
    return Cause(told) if told else None


def _first_of_hydra(said: Sequence[str]) -> str:
    """Return the line of Hydra's error that names the problem; choices and places follow it.

    Where it only says which override, or which target, the next line says why.
    """
    end = max(at for at, line in enumerate(said) if line.startswith(HYDRA))
    job = [at for at, line in enumerate(said[:end]) if line.startswith(_HYDRAS_JOB)]
    told = [line.strip() for line in said[max(job, default=-1) + 1 : end] if not _PLACE.match(line)]
    at = next((at for at, line in enumerate(told) if _HYDRAS_FIRST.match(line)), len(told) - 1)
    line, *others = told[at:] or said[max(0, end - 1) : end] or [""]
    why = next((it for it in others if it != line), "")  # ranks print the same at once
    return f"{line.rstrip(':')}: {why}" if why and _SAYS_WHICH.match(line) else line


def _of_lost_child(blocks: Sequence[Trace], block: Trace) -> Cause | None:
    """Return the error of a child process, if the parent only noticed that it is gone; else None.

    The child has printed it just before; without that, PyTorch knows at least how the child ended.
    """
    if not _LOST_CHILD.search(block.error):
        return None
    first = block.start if block.chain_start < 0 else block.chain_start
    told = [it for it in blocks if it.weight is Weight.ENDS and first - _MANY < it.end <= first]
    if told:
        return Cause(told[-1].error, told[-1].reasons, is_exception=True)
    if not block.reasons or "DataLoader worker" not in (error := block.reasons[-1]):
        return None
    number = signal_reported(error, ())
    return Cause(error, exit_code=None if number is None else -number, is_exception=True)


def _without(lines: Sequence[str], blocks: Sequence[Trace]) -> list[str]:
    """Return the lines without some blocks and without asides."""
    hidden = {at for each in blocks for at in range(each.start, each.end)}
    return without_asides([line for at, line in enumerate(lines) if at not in hidden])


def _unwrap(lines: Sequence[str], block: Trace) -> Cause | None:
    """Return the cause that a wrapper's exception reports of its child process; None if it is not one."""
    error, before = block.error, lines[: block.start]
    if "ChildFailedError" in error:
        root = _ROOT.search("\n".join(lines[block.end - 1 :]))
        code, rank = (int(root[2]), root[1]) if root else (1, "")
        inner = _find(before, code, rank=rank)
        if not inner.is_exception and (told := _RECORDED.search("\n".join(lines[block.end - 1 :]))):
            inner = Cause(told[1], is_exception=True)
        if not inner.message and code > 0 and rank:
            inner = replace(
                inner, message=f"rank {rank} ended with exit code {code}, and no output"
            )
        return replace(inner, exit_code=code) if code < 0 else inner
    status = code_of_subprocess(error)
    if status is None or status < 0:
        return None if status is None else Cause(error, exit_code=status, is_exception=True)
    inner = _find(before, status, rank="")
    found_more = inner.message or inner.exit_code is not None
    return replace(inner, exit_code=inner.exit_code or status) if found_more else None
