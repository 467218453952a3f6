"""Asides: lines in the output of a program that say nothing about why it has ended.

Some stand anywhere, as warnings do. Others are the last lines of a tool that has told its error before, or of
a wrapper that only tells that its command has failed: they count if there is nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST: Final = 300  # characters of an aside
HYDRA: Final = "Set the environment variable HYDRA_FULL_ERROR=1"
_ANYWHERE = re.compile(
    rf"{HYDRA}"
    r"|\S+:\d+: \w*Warning: |sys:1: \w*Warning: "
    r"|\[[WEI]\d* |\[[WEI]\d*[\d:. -]+|[WEI]\d{4} [\d:.]+ "
    r"|note: run with `RUST_BACKTRACE|note: Some details are omitted, run with `RUST_BACKTRACE"
    r"|Run with RUST_BACKTRACE=|Backtrace omitted\. Run with RUST_BACKTRACE="
    r"|make(?:\[\d+\])?: (?:\*\*\* |Leaving directory)|ERROR conda\.cli|srun: error: .* Exited with exit code"
    r"|wandb: |ERROR:torch\.distributed\.elastic|WARNING:torch\.distributed\.elastic"
    r"|Pass --helpshort or --helpfull to see help on flags"
    r"|(?:\s*\d+%\||.*: +\d+%\|).*\| *[\w.]+/[\w.]+ \[.*\]$"  # a progress bar of tqdm
)
_AT_THE_END = re.compile(
    # the commands time, and those of shells
    r"Command exited with non-zero status \d+$|Command terminated by signal \d+$"
    r"|[\d:.]+user [\d:.]+system |\d+inputs\+\d+outputs \(|(?:real|user|sys)\s+(?:\d+m)?[\d.]+s?$"
    r"|.* [\d.]+s user [\d.]+s system \d+% cpu "
    # dd, tar, rsync
    r"|\d+\+\d+ records (?:in|out)$|\d+ bytes .*copied, "
    r"|tar: (?:Error is not recoverable: exiting now|Exiting with failure status)|rsync error: "
    # what starts programs, and only tells that one has failed
    r"|error Command failed with exit code \d+\.$|info Visit https://yarnpkg\.com/|\s*ELIFECYCLE\s"
    r"|error: Recipe `.*` failed on line \d+ with exit code|ninja: build stopped: subcommand failed\."
    r"|error: process didn't exit successfully: `"
    r"|slurmstepd: error: \*\*\* STEP .* ON|srun: (?:Job step aborted|Terminating StepId|launch/slurm)"
    # compilers, sanitizers and tests, behind their errors
    r"|\d+ errors?(?: generated\.)?$|error: compilation failed$|==\d+==ABORTING$"
    r"|(?:=+ )?(?:\d+ \w+, )*\d+ (?:failed|errors?)\b.* in [\d.]+s\b"
    # how to get help
    r"|(?:Try|Run|See) [`'\"].*--?help\b|For more information, try [`'\"]|Usage: .*\[OPTIONS\]"
)
_FAILURE = re.compile(r"error|fail|exit|stopped", re.IGNORECASE)


def without_asides(lines: Sequence[str]) -> list[str]:
    """Return the lines that are neither empty nor asides, nor the source lines of a warning."""
    return [lines[at] for at in places_without_asides(lines)]


def places_without_asides(lines: Sequence[str]) -> list[int]:
    """Return the places of these lines."""
    kept = []
    skips_frame = False
    for at, line in enumerate(lines):
        if not line.strip() or (skips_frame and line[0].isspace()):
            continue
        skips_frame = is_aside(line)
        if not skips_frame or line.startswith(HYDRA):
            kept.append(at)
    return kept


def is_aside(line: str) -> bool:
    """Return whether a line says nothing about an end, or nothing but that a command has failed."""
    line = line[:_LONGEST]
    return (_ANYWHERE.match(line) or _AT_THE_END.match(line)) is not None


def last_report(lines: Sequence[str]) -> str:
    """Return the last line of a tool that tells of a failure, for an output without any other line."""
    told = (line.strip() for line in reversed(lines) if _AT_THE_END.match(line[:_LONGEST]))
    return next(filter(_FAILURE.search, told), "")
