"""What other programs call an option is answered with what ``orch`` calls it."""

import pytest

from orchestrator.cli.arguments import COMMANDS, parse_arguments
from orchestrator.cli.habitual_options import MEANT


def test_every_answer_is_an_option_or_an_argument_of_some_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Else nobody would ever get it."""
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            parse_arguments([command, "--help"])
    told = capsys.readouterr().out
    assert [it for meant in MEANT.values() for it in meant if it not in told] == []
