"""What Hydra, OmegaConf and YAML refuse, said in one line that tells the user what to do."""

from __future__ import annotations

import difflib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_REFUSALS = (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError)
_UNKNOWN_KEY = re.compile(r"Could not override '([^']+)'")
_LONGEST = 400


@contextmanager
def refusals_of_hydra(known_keys: Callable[[], Iterable[str]] = tuple) -> Iterator[None]:
    """Turn what the libraries below refuse into a ``ConfigError`` of one line.

    Args:
        known_keys: Gives the dotted keys that exist, to suggest the nearest one.

    Raises:
        ConfigError: Something inside the block was refused.
    """
    try:
        yield
    except _REFUSALS as error:
        raise ConfigError(_say(error, known_keys)) from error
    except RecursionError as error:
        raise ConfigError("the config is nested too deeply, or refers to itself.") from error


def _say(error: BaseException, known_keys: Callable[[], Iterable[str]]) -> str:
    match error:
        case MissingMandatoryValue(full_key=str(key)) if key:
            return f"{key} has no value (???). Give it one: {key}=... on the command line."
        case MissingConfigException(missing_cfg_file=str(missing), options=list(options)):
            near = difflib.get_close_matches(missing.rpartition("/")[2], options, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            return f"there is no config '{missing}'; known are {', '.join(options)}.{hint}"
        case MissingConfigException(missing_cfg_file=str(missing)):
            return f"there is no config '{missing}' in the config folder."
        case UnicodeDecodeError():
            return f"a config file is not UTF-8 text ({error.reason} at byte {error.start})."
    text = _flatten(error)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        text = f"{error.full_key}: {text}"
    unknown = _UNKNOWN_KEY.search(text)
    if unknown:
        near = difflib.get_close_matches(unknown[1], set(known_keys()), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "there is no such key."
        return f"cannot override '{unknown[1]}', {hint} To add a new key write +{unknown[1]}=..."
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _flatten(error: BaseException) -> str:
    """Join the message and those of its causes, each once, without line breaks."""
    parts: list[str] = []
    step: BaseException | None = error
    while step is not None:
        line = _line(step)
        if line not in ("", "None") and not any(line in part for part in parts):
            parts.append(line)
        step = step.__cause__ or step.__context__
    text = ": ".join(parts) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _line(error: BaseException) -> str:
    match error:
        case OSError(strerror=str(what)):
            return f"{error.filename}: {what}" if error.filename else what
        case yaml.MarkedYAMLError(problem_mark=yaml.Mark() as mark):
            return f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    lines = (line.strip() for line in str(error).splitlines())
    # What follows names OmegaConf's own classes and repeats the key.
    kept = [line for line in lines if line and not line.startswith(("full_key:", "object_type="))]
    joined = " ".join(kept)
    return "".join(character if character.isprintable() else "?" for character in joined)
