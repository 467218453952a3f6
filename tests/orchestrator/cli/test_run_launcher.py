"""The launcher follows from the program that the settings name."""

import pytest

from orchestrator.cli.run_launcher import choose_launcher
from orchestrator.config.orch_settings import parse_settings
from orchestrator.errors import UsageError
from orchestrator.extras import Extra
from orchestrator.launchers.code_description import NO_DESCRIPTION
from orchestrator.launchers.command import CommandLauncher
from orchestrator.launchers.warm import WarmLauncher


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"command": ["/bin/true"]}, CommandLauncher),
        ({"entry_point": "os.path:basename"}, WarmLauncher),
        ({}, WarmLauncher),
    ],
)
def test_program_decides(settings: dict[str, object], kind: type) -> None:
    launcher = choose_launcher(parse_settings(settings), (), NO_DESCRIPTION)  # type: ignore[arg-type]
    assert isinstance(launcher, kind)
    launcher.close()


def test_trainer_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Extra, "is_installed", False)
    with pytest.raises(UsageError, match=r"orch\.command"):
        choose_launcher(parse_settings({}), (), NO_DESCRIPTION)
