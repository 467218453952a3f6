"""Finds wording that readers of PyTorch's or git's documentation would have to translate.

``make lint`` runs it over code, documentation and configs. Each pattern stands beside what to write
instead; to allow a place, reword it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

UNITS = (
    "GPU|CPU|card|run|second|minute|hour|day|step|iteration|epoch|batch|sample|event|point|file"
    "|group|host|experiment|line|command|module|row|checkpoint|worker|slot|process|attempt|axis"
)
COUNTED = (
    r"one|two|once|twice|times|lines?|bytes|milliseconds|ms|µs|us|seconds?|runs?|points?|files?"
    r"|process(?:es)?|query|queries|MB|GB|%"
)
PATTERNS = {
    r"\bwhoever\b": "the user, the caller, the process",
    r"\banew\b": "recreate, restart, again from the start",
    r"\bonce more\b": "again, retry",
    r"\bso many\b": "N, that many",
    r"\bso long\b(?! as)": "the timeout, that long",
    r"\bagain and again\b": "repeatedly",
    r"\blet be\b": "give up",
    r"\bso-and-so\b": "N",
    r"\bmend(?:s|ed|ing)?\b": "fix, correct",
    r"\bculprits?\b": "excluded_by",
    r"\blast words\b": "output tail",
    r"\bmanners\b": "environment, settings",
    r"\b(?:with|in)in (?:a|one|this|each) call\b": "within one orch run",
    r"\b(?:by|in|at|of) (?:each|every|a|this|one|the next) call\b(?! of)": "orch run",
    r"\bthe (?:next|same|last) call\b": "the next orch run",
    r"\b(?:is|are|was|were) no (?!longer|more|such|one|way|need|room|point in|reason|matter)(?<!there is no )"
    r"(?<!there are no )(?<!there was no )(?<!there were no )(?<!where no )[a-z]+": "is not a",
    rf"\b(?:{COUNTED}) an? (?:{UNITS})\b": "per",
    r"\ba lack of\b": "out of, not enough",
    r"\bplain (?:file|text)\b": "regular file, text",
    r"\bno texts?\b": "not a string",
    r"\bcan not\b": "cannot",
}
PLACES = (
    "orch",
    "orchestrator",
    "trainer",
    "conf",
    "docs",
    "benchmarks",
    "*.md",
    "Makefile",
    "tests",
)
# The user's own words, and those of other projects.
ALLOWED = ("docs/reference/cli.md",)


def main() -> int:
    """Print each place with what to write instead, and return 1 if there is any."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *PLACES], capture_output=True, text=True, check=True
    )
    found = 0
    for name in listed.stdout.splitlines():
        if name in ALLOWED or not name.endswith((".py", ".md", ".yaml", "Makefile")):
            continue
        for number, line in enumerate(Path(name).read_text(encoding="utf-8").splitlines(), 1):
            for pattern, instead in PATTERNS.items():
                for match in re.finditer(pattern, line, re.IGNORECASE):
                    found += 1
                    print(f"{name}:{number}: {match[0]!r}: write {instead}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
