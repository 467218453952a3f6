"""``orch note``: shows and changes the text and the tags that people give a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.text import Text

from orchestrator.cli.json_text import write_json
from orchestrator.cli.lookup import open_runs
from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.grid.identity import short
from orchestrator.rundir.note import parse_tag
from orchestrator.rundir.note_file import change_note, read_note

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

# Hydra's grammar: a key, and a value in which a sentence would be quoted.
_OVERRIDE: Final = re.compile(r"~\S+|\+{0,2}[\w./@:-]+=\S*")


def note(options: argparse.Namespace, console: Console) -> int:
    """Change the note of a run as the options say, print it, and return 0.

    Raises:
        UsageError: There is no such run, or the note or a tag is refused.
        RunDirectoryError: It cannot be written.
    """
    text = _take_text(options)
    tags = dict(map(parse_tag, options.tag))
    if both := sorted(set(tags) & set(options.untag)):
        raise UsageError(f"--tag {both[0]} and --untag {both[0]} exclude each other. Remove one.")
    (directory,) = open_runs(options, [options.run])
    found = read_note(directory.path)
    if text is not None or tags or options.untag:
        if unknown := [name for name in options.untag if name not in found.tags]:
            has = f"It has {found.labels}" if found.tags else "It has none"
            raise UsageError(f"run {directory.run_id} does not have the tag {unknown[0]}. {has}.")
        try:
            found = change_note(directory.path, text=text, tags=tags, untag=options.untag)
        except OSError as error:
            raise RunDirectoryError(
                f"{directory.path}: cannot write the note ({error.strerror or error})."
                " Check the permissions and the disk."
            ) from None
    if options.json:
        content = {
            "schema": 1,
            "run_id": directory.run_id,
            "note": found.text or None,
            "tags": dict(found.tags),
        }
        write_json(console, content, indent=2)
    else:
        told = str(found) or "nothing is noted"
        console.print(Text(f"{short(directory.run_id)}  {told}"), soft_wrap=True)
    return 0


def _take_text(options: argparse.Namespace) -> str | None:
    """Return the text on the command line, and leave the overrides; None: it is not given."""
    options.overrides = [*([] if options.text is None else [options.text]), *options.overrides]
    words = [word for word in options.overrides if not _OVERRIDE.fullmatch(word)]
    options.overrides = [word for word in options.overrides if _OVERRIDE.fullmatch(word)]
    if len(words) > 1:
        raise UsageError(f"{len(words)} texts: a run has one. Put it in quotes.")
    if words and options.remove:
        raise UsageError("a text and --remove exclude each other. Remove one.")
    return "" if options.remove else words[0] if words else None
