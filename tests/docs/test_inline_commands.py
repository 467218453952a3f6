"""Commands in the text of the pages on own programs: they can be typed, down to the quoting of overrides."""

import re
import shlex

import pytest
from doc_pages import ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser

from orchestrator.cli.arguments import parse_arguments

PAGES = ("bring-your-own-program.md", "hydra-launcher.md")
INLINE = re.compile(
    r"(?<!`)`(orch (?:run|plan|status|logs|results|rerun|sync) [^`]+|orch\.command=[^`]*)`"
)


def commands() -> list[str]:
    """Return the commands, without what stands for more of them."""
    texts = (ROOT / "docs" / page for page in PAGES)
    found = [each for text in texts for each in INLINE.findall(text.read_text(encoding="utf-8"))]
    return sorted({" ".join(each.split()).replace(" ...", "") for each in found})


@pytest.mark.parametrize("command", commands())
def test_command_in_the_text_can_be_typed(command: str) -> None:
    """The overrides are what Hydra's grammar reads, as the shell hands them over."""
    words = shlex.split(command)
    if words[0] != "orch":  # an override, quoted for Hydra
        OverridesParser.create().parse_overrides([command])
        return
    options = parse_arguments(words[1:])
    OverridesParser.create().parse_overrides(options.overrides)


def test_there_are_such_commands() -> None:
    assert len(commands()) >= 5
