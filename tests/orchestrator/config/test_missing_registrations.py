"""What a config lacks, because a module of its project was not imported."""

from pathlib import Path

import pytest
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException, UnsupportedInterpolationType

from orchestrator.config.missing_registrations import (
    lacks_registrations,
    may_lack_registrations,
)
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "is_lacking"),
    [
        ("${nobody_registered_this:1}", True),
        ("a ${ nobody.registered.this : 1}", True),
        ("\\${nobody_registered_this:1}", False),
        ("${oc.env:NOBODY_SET_THIS}", True),
        ("${oc.env:NOBODY_SET_THIS,1}", False),
        ("${oc.decode:1}", False),
        ("${x}", False),
        ("text", False),
    ],
)
def test_unknown_resolvers_and_variables_are_found(text: str, is_lacking: bool) -> None:  # noqa: FBT001 # a parameter
    """Without resolving anything."""
    assert lacks_registrations(OmegaConf.create({"x": 1, "a": [{"b": text}]})) is is_lacking


def _caused_by(cause: Exception) -> ConfigError:
    error = ConfigError("told")
    error.__cause__ = cause
    return error


def test_errors_that_an_import_may_fix_are_known(tmp_path: Path) -> None:
    """A config that is not there may be one that Python defines, if some file defines any."""
    missing = _caused_by(MissingConfigException("x", "y"))
    assert may_lack_registrations(_caused_by(UnsupportedInterpolationType("x")), tmp_path)
    assert may_lack_registrations(
        _caused_by(OmegaConfBaseException("Environment variable 'X' not found")), tmp_path
    )
    assert not may_lack_registrations(_caused_by(OmegaConfBaseException("other")), tmp_path)
    assert not may_lack_registrations(missing, tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/schemas.py").write_text("from hydra.core.config_store import ConfigStore\n")
    assert may_lack_registrations(missing, tmp_path)
