"""The error messages for an MLflow store: one line, without addresses and passwords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestrator.config.credential_check import without_passwords
from orchestrator.errors import OrchestratorError
from orchestrator.tracking.delivery_record import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 200
_MESSAGES: Final = (
    # A part of an error's message, in lower case, and the message for the user.
    ("connection refused", "the tracking server does not answer (connection refused)"),
    ("timed out", "the tracking server did not answer in time"),
    ("name or service not known", "the tracking server's name is unknown"),
    ("failed to resolve", "the tracking server's name is unknown"),
    ("remote end closed", "the tracking server closed the connection"),
    ("connection reset", "the tracking server closed the connection"),
    ("connection aborted", "the tracking server closed the connection"),
    ("database is locked", "the store is locked by another process"),
    ("database or disk is full", "the disk of the store is full"),
    ("no space left", "the disk of the store is full"),
    ("disk i/o error", "the disk of the store fails (I/O error)"),
    ("readonly database", "the store cannot be written: check its permissions"),
    ("unable to open database", "the store cannot be opened: check its permissions"),
    ("file is not a database", "the store is damaged: it is not a database"),
    ("database disk image is malformed", "the store is damaged"),
    (
        "out-of-date database schema",
        "the store was created by an older MLflow. Upgrade it with mlflow db upgrade",
    ),
)
_CODE: Final = re.compile(r"(?:error code|status code|http response code) ?:? ?(\d{3})")
_CODES: Final = {
    "401": "the tracking server rejects the credentials (401)",
    "403": "the tracking server denies access (403)",
}


def explain(error: BaseException, uri: str = "") -> str:
    """Return the problem in one line, without passwords.

    Args:
        error: What was raised.
        uri: The address of the store, which is named if it is a file.
    """
    if isinstance(error, OrchestratorError):  # it is a message for the user already
        return _clean_text(str(error))
    texts = [_clean(step) for step in _chain(error)]
    for text in texts:
        lower = text.lower()
        if code := _CODE.search(lower):
            return _CODES.get(code[1], f"the tracking server responds with an error ({code[1]})")
        for piece, message in _MESSAGES:
            if piece in lower:
                file = sqlite_file(uri)
                return message.replace("the store", f"the store {file}", 1) if file else message
    return texts[0][:_LONGEST] or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(8):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _clean(error: BaseException) -> str:
    return _clean_text(f"{type(error).__name__}: {error}")


def _clean_text(text: str) -> str:
    return without_passwords(" ".join(text.split()))
