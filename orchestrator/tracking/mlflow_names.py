"""Names and values that MLflow accepts: others are replaced or truncated visibly."""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import lru_cache
from typing import Final

LONGEST_VALUE: Final = 6000
_LONGEST_NAME: Final = 250
_LONGEST_TAG: Final = 5000
_LONGEST_EXPERIMENT: Final = 500
_REFUSED: Final = re.compile(r"[^/\w.\- :]")
_CUT: Final = " ... (cut; {} has it whole)"


@lru_cache(maxsize=10_000)
def metric_name(key: str) -> str:
    """Return a key that MLflow accepts: unchanged if valid, else with a hash of the original.

    Different keys stay different. MLflow accepts letters, digits, and ``/_.- :``, at most 250
    characters, and only normalized paths.
    """
    if len(key) <= _LONGEST_NAME and not _REFUSED.search(key) and _is_plain_path(key):
        return key
    mark = hashlib.sha256(key.encode(errors="backslashreplace")).hexdigest()[:8]
    path = posixpath.normpath(_REFUSED.sub("_", key)).strip("/.")
    return f"{path[: _LONGEST_NAME - 9].rstrip('/')}-{mark}".lstrip("-")


def parameter_value(text: str) -> str:
    """Return a parameter's value, truncated visibly at MLflow's limit."""
    return _fit(text, LONGEST_VALUE, "config.yaml")


def tag_value(text: str) -> str:
    """Return a tag's value, truncated visibly at MLflow's limit."""
    return _fit(text, _LONGEST_TAG, "status.json")


def run_name(text: str) -> str:
    """Return a run's name, truncated visibly at the limit of databases."""
    text = _encodable(text)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 4]} ..."


def experiment_name(experiment_id: str) -> str:
    """Return the name of an experiment, cut at MLflow's limit."""
    return experiment_id[:_LONGEST_EXPERIMENT]


def _is_plain_path(key: str) -> bool:
    normal = posixpath.normpath(key)
    return normal == key and normal != "." and not normal.startswith(("..", "/"))


def _fit(text: str, longest: int, where: str) -> str:
    text = text.replace("\0", "\\0")  # PostgreSQL rejects NUL
    text = _encodable(text)
    note = _CUT.format(where)
    return text if len(text) <= longest else text[: longest - len(note)] + note


def _encodable(text: str) -> str:
    """Return a string without what UTF-8 cannot encode, as in names of other encodings."""
    return text.encode(errors="backslashreplace").decode()
