"""The error line: finds the error that ended a program in the end of its output.

It is seldom the last line: after the exception that ends a Python program come errors that do not
end it (``__del__``, ``atexit``), the output of a wrapper (torchrun, Hydra, a shell), and warnings.
A wrapper also reports the exit code of the process that failed first, which counts instead of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from orchestrator.runner.other_languages import message_above_stack, signal_described
from orchestrator.runner.tracebacks import RANK, Trace, Weight, read_tracebacks, sort_by_rank
from orchestrator.runner.wrapper_exit_codes import (
    code_of_child,
    code_of_subprocess,
    signal_reported,
    tells_exit_code,
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


# Colours, links, and other control characters: the crash handler of PyTorch's loaders prints a NUL.
_ESCAPES = re.compile(
    r"\x1b\[[0-9;:?]*[A-Za-z]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[\x00-\x08\x0e-\x1a]"
)
# A progress bar, or other output, had not ended its line.
_BEFORE_HEADER = re.compile(
    r"(?<=[\w\]).%])(?=Traceback \(most recent call last\):$)", re.MULTILINE
)
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b(?::|$)")
# What others print after the cause.
_ASIDES = re.compile(
    r"Set the environment variable HYDRA_FULL_ERROR=1"
    r"|\S+:\d+: \w*Warning: |sys:1: \w*Warning: "
    r"|\[[WEI]\d* |\[[WEI]\d*[\d:. -]+|[WEI]\d{4} [\d:.]+ "
    r"|note: run with `RUST_BACKTRACE"
    r"|make(?:\[\d+\])?: (?:\*\*\* |Leaving directory)|ERROR conda\.cli|srun: error: .* Exited with exit code"
    r"|wandb: |ERROR:torch\.distributed\.elastic|WARNING:torch\.distributed\.elastic"
    r"|Pass --helpshort or --helpfull to see help on flags"
)
_MAKE = re.compile(r"make(?:\[\d+\])?: ")
_FINAL_WORD = re.compile(r"(?:\S+: )?(?:error|fatal|abort)(?:: |\[)", re.IGNORECASE)
_LOST_CHILD = re.compile(
    r"DataLoader worker \(pid\(s\) .*\) exited unexpectedly|BrokenProcessPool: "
)
_BOX = re.compile(r"^[\s│|╭╮╰╯─┌┐└┘]+|[\s│|╭╮╰╯─┌┐└┘]+$")
_MANY: Final = 20  # lines after a traceback: it was caught, and the program continued
_HYDRA: Final = "Set the environment variable HYDRA_FULL_ERROR=1"
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
    text = re.sub(r"\r\n?", "\n", _ESCAPES.sub("", output))
    lines = [line.rstrip() for line in _BEFORE_HEADER.sub("\n", text).split("\n")]
    return _find(sort_by_rank(lines), exit_code, rank="")


def _find(lines: Sequence[str], exit_code: int, *, rank: str) -> Cause:
    blocks = read_tracebacks(lines)
    said = _without(lines, [each for each in blocks if each.weight is Weight.NOTHING])
    by_make = takewhile(_MAKE.match, filter(str.strip, reversed(lines)))
    for last in (*said[-1:], *by_make):  # asides otherwise
        if code := code_of_child(last, exit_code):
            return replace(_find(lines[: lines.index(last)], code, rank=rank), exit_code=code)
    block = _choose([each for each in blocks if each.error], rank)
    if block is None:
        return _unwritten(lines, blocks, exit_code) or _last_line(said)
    if wrapped := _unwrap(lines, block) or _of_lost_child(blocks, block):
        return wrapped
    after = _without(lines[block.end :], [])
    if block.weight is Weight.MAY_END and after:
        return _last_line(said)
    if after and _is_caught(lines[block.end :], block.rank, exit_code):
        return _last_line(said)
    number = signal_reported(block.error, after)
    code = None if number is None else -number
    return Cause(block.error, block.reasons, code, is_exception=True)


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


def _is_caught(after: Sequence[str], rank: str, exit_code: int) -> bool:
    """Return whether a program continued after a traceback, from its output there.

    An uncaught exception ends Python with exit code 1, and is the last thing that it prints. Its message may
    have any number of indented lines, as of missing parameters, and other ranks may print whatever they like.
    """
    own = [RANK.sub("", line) for line in after if _rank_of(line) in ("", rank)]
    indented = [*(line[:1].isspace() for line in own), False]
    message = next(at for at in range(len(own) + 1) if not any(indented[at : at + 2]))
    said, more = _without(own, []), _without(own[message:], [])
    if exit_code > 1 or len(more) > _MANY:
        return True
    return bool(said and _FINAL_WORD.match(said[-1])) and not tells_exit_code(said[-1])


def _rank_of(line: str) -> str:
    return found[1] if (found := RANK.match(line)) else ""


def _last_line(said: Sequence[str]) -> Cause:
    if any(line.startswith(_HYDRA) for line in said):
        return Cause(_first_of_hydra(said))
    said = [line for line in said if not _ASIDES.match(line)]
    if above := message_above_stack(said):
        return Cause(above)
    said = [line for line in said if _BOX.sub("", line)] or said
    last = _BOX.sub("", said[-1]) or said[-1].strip() if said else ""
    number = signal_described(last)
    return Cause(
        RANK.sub("", last),
        exit_code=None if number is None else -number,
        is_exception=_EXCEPTION.match(last) is not None,
    )


def _first_of_hydra(said: Sequence[str]) -> str:
    """Return the line of Hydra's error that names the problem; choices and places follow it.

    Where it only says which override, or which target, the next line says why.
    """
    end = max(at for at, line in enumerate(said) if line.startswith(_HYDRA))
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
