"""Splits sections of the guide to the trainer into sentences, and rows of tables."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[3] / "docs" / "trainer.md"
# What ends a sentence, unless it is an abbreviation or within backticks.
END = re.compile(r"(?<=[.:])\s+(?=[A-Z`])|(?<=[.])\)\s+(?=[A-Z`])")
BULLET = re.compile(r"^(?:- |\d+\. )", re.MULTILINE)


def sentences_of(section: str) -> list[str]:
    """Return the sentences of a section of the guide; the rows of tables count, their heads do not."""
    heading = re.search(rf"^(#+) {re.escape(section)}$", GUIDE.read_text(), re.MULTILINE)
    assert heading is not None, section
    text = GUIDE.read_text()[heading.end() :]
    text = re.split(r"^#+ ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)[0]
    text = re.sub(r"<!--.*?-->", "", text)
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            found += [line.strip("| ") for line in lines[2:]]
            continue
        for item in BULLET.split(block):
            found += [" ".join(each.split()) for each in END.split(item) if each.split()]
    return found
