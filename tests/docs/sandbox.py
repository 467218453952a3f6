"""The folder that a page's code blocks run in, as a reader would run them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from doc_pages import ROOT, Block

UNTRACKED: Final = "demo without tracking"  # to a store, which costs seconds and prints nothing
PROJECTS: Final = Path(__file__).parent / "projects"
LONGEST_LINE: Final = 100
_LEFT_OUT: Final = "[...]"
_PATIENCE: Final = 120
_EXPORT: Final = re.compile(r"export (\w+)=(\S+)")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)?")
_DURATION: Final = re.compile(r"\b\d+(\.\d+)? (s|ms|min)\b")
_PROCESS: Final = re.compile(r"\b(process|pid) \d+")
_COUNT: Final = re.compile(r"^ *\d+/(?=\d)")
# How precise an estimate is shown depends on it.
_ESTIMATE: Final = re.compile(r"(forecast: |took )\d.*")
_DECIMAL: Final = re.compile(r"(?<![\w.])-?\d+\.\d+(e[+-]?\d+)?\b")
_SIZE: Final = re.compile(r"\b\d+ (kB|MB)\b")


class Step(NamedTuple):
    """A command of a console block, and the output that the page shows for it."""

    command: str
    shown: str


class Sandbox:
    """A folder with a project, in which commands run with this environment's programs."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder
        if project in {"demo", UNTRACKED}:
            shutil.copytree(ROOT / "conf", folder / "conf")
        elif project:
            shutil.copytree(PROJECTS / project, folder, dirs_exist_ok=True)
        if project == UNTRACKED:
            config = folder / "conf/config.yaml"
            on = "  tracking:\n    enabled: true"
            assert on in config.read_text()
            config.write_text(config.read_text().replace(on, on.replace("true", "false")))
        (folder / ".home").mkdir()
        programs = str(Path(sys.executable).parent)
        kept = {"LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONWARNINGS", "CUDA_VISIBLE_DEVICES"}
        self._environment = {key: value for key, value in os.environ.items() if key in kept} | {
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / ".home"),
            "OMP_NUM_THREADS": "1",
        }
        self._exit_code = 0

    def write(self, block: Block) -> None:
        """Write a block that is the content of a file."""
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def run(self, command: str) -> tuple[str, int]:
        """Run a shell command, which can read the exit code of the previous one.

        What it exports is there for the commands that follow.
        """
        if exported := _EXPORT.fullmatch(command):
            self._environment[exported[1]] = exported[2]
        ended = subprocess.run(
            ["bash", "-c", f"(exit {self._exit_code})\n{command}"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )
        self._exit_code = ended.returncode
        return self._for_readers(ended.stdout.decode(errors="replace")), ended.returncode

    def run_python(self, text: str) -> tuple[str, int]:
        """Run a block of Python as a program."""
        path = self.folder / ".block.py"
        path.write_text(text, encoding="utf-8")
        return self.run("python .block.py")

    def _for_readers(self, output: str) -> str:
        """Replace what is this machine's own."""
        output = output.replace(str(self.folder), "/home/you/project")
        output = re.sub(rf"\b{re.escape(socket.gethostname())}\b", "box", output)
        return "\n".join(line.rstrip() for line in output.split("\n")).rstrip("\n")


def read_steps(block: Block) -> list[Step]:
    """Return the commands of a console block; one that ends with a backslash goes on below."""
    steps: list[Step] = []
    shown: list[str] = []
    command = ""
    for line in block.text.splitlines():
        if line.startswith("$ ") or command.endswith("\\"):
            if not command.endswith("\\"):
                if command:
                    steps.append(Step(command, "\n".join(shown).rstrip("\n")))
                command, shown = line[2:], []
            else:
                command = f"{command}\n{line.removeprefix('> ')}"
        else:
            shown.append(line)
    steps.append(Step(command, "\n".join(shown).rstrip("\n")))
    return steps


def is_as_shown(shown: str, output: str, *, loosely: bool) -> bool:
    """Tell whether an output is what a page shows, apart from times, durations and blanks."""
    expected = [_comparable(line, loosely=loosely) for line in shown.split("\n")]
    found = [_comparable(line, loosely=loosely) for line in output.split("\n")]
    if loosely:
        patterns = [_pattern(line) for line in expected if line != _LEFT_OUT]
        return all(any(re.fullmatch(each, line) for line in found) for each in patterns)
    pattern = "".join(
        r"(?:.*\n)*?" if line == _LEFT_OUT else _pattern(line) + r"\n" for line in expected
    )
    return re.fullmatch(pattern, "\n".join(found) + "\n") is not None


def renew(shown: str, output: str) -> str:
    """Return an output as the page shows it: with as many lines before and behind what is left out.

    A single ``?`` stands for an output that nobody has looked at yet. Long lines are cut.
    """
    output = "\n".join(map(_cut, output.split("\n")))
    if shown.split("\n").count(_LEFT_OUT) != 1:
        return output if _LEFT_OUT not in shown else shown
    before, _, behind = (f"\n{shown}\n").partition(f"\n{_LEFT_OUT}\n")
    lines = output.split("\n")
    head = lines[: len(before.strip("\n").split("\n"))] if before.strip("\n") else []
    tail = lines[-len(behind.strip("\n").split("\n")) :] if behind.strip("\n") else []
    return "\n".join([*head, _LEFT_OUT, *tail])


def _cut(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: LONGEST_LINE - 4].rpartition(' ')[0].rstrip()} ..."


def _comparable(line: str, *, loosely: bool) -> str:
    if estimate := _ESTIMATE.fullmatch(line):
        return estimate[1]
    line = _TIME.sub("TIME", line)
    line = _DURATION.sub(r"N \2", line)
    line = _PROCESS.sub(r"\1 N", line)
    if loosely:
        line = _SIZE.sub(r"N \1", _COUNT.sub("N/", _DECIMAL.sub("N.N", line)))
    return " ".join(line.split())


def _pattern(line: str) -> str:
    """Return a pattern for a line, in which dots stand for anything."""
    return ".*".join(map(re.escape, re.split(r" ?\.\.\.", line))) if line != "..." else ".*"
