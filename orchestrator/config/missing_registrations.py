"""What a config lacks, because a module of its project that would register it was not imported."""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING, Final

from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import UnsupportedInterpolationType

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

_RESOLVER: Final = re.compile(r"(?<!\\)\$\{\s*([A-Za-z_][\w.]*)\s*:")
_VARIABLE: Final = re.compile(r"(?<!\\)\$\{\s*oc\.env\s*:\s*([A-Za-z_]\w*)\s*\}")
_STORE: Final = b"ConfigStore"
_MOST_FILES: Final = 300


def lacks_registrations(cfg: DictConfig) -> bool:
    """Return whether a config calls an unknown resolver, or reads an environment variable that is not set."""
    text = str(OmegaConf.to_container(cfg))
    return any(not OmegaConf.has_resolver(name) for name in _RESOLVER.findall(text)) or any(
        name not in os.environ for name in _VARIABLE.findall(text)
    )


def may_lack_registrations(error: BaseException, folder: Path) -> bool:
    """Return whether an error may vanish when a module of the project is imported.

    Args:
        error: An error of composing.
        folder: The folder of the program, in which files may define configs.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UnsupportedInterpolationType) or "Environment variable" in str(cause):
            return True
        if isinstance(cause, MissingConfigException):
            return any(map(_defines_configs, itertools.islice(folder.rglob("*.py"), _MOST_FILES)))
        cause = cause.__cause__
    return False


def _defines_configs(file: Path) -> bool:
    try:
        return _STORE in file.read_bytes()
    except OSError:
        return False
