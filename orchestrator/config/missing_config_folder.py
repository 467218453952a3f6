"""What to do where there is no config folder: a folder of scripts has other ways to begin."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SCRIPTS: Final = 100
_LONGEST: Final = 1_000_000  # bytes of a script


def missing_config_folder(path: Path) -> ConfigError:
    """Return the error for a config folder that is not there, with what may be meant instead."""
    if path.is_file():
        name = shlex.join(["--config-dir", str(path.parent), "--config-name", path.stem])
        return ConfigError(f"{str(path)!r} is a file, not a config folder. Use {name}.")
    here = Path.cwd()
    begin = "Change to the project's folder, or name the config folder with --config-dir"
    app = next(_hydra_apps(here), "")
    if app:
        other = f". {app} seems to be a Hydra app: --app {shlex.quote(app)} uses its config"
    else:
        other = ". orch init DIR writes a project to begin with"
    return ConfigError(
        f"there is no config folder {str(path)!r}{'' if path.is_absolute() else f' in {here}'}. {begin}{other}."
    )


def _hydra_apps(folder: Path) -> Iterator[str]:
    """Yield the scripts of a folder that mention ``hydra.main``."""
    with suppress(OSError):
        for script in sorted(folder.glob("*.py"))[:_MOST_SCRIPTS]:
            with suppress(OSError):
                if script.stat().st_size <= _LONGEST and b"hydra.main" in script.read_bytes():
                    yield script.name
