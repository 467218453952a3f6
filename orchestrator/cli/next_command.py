"""The next command that a message suggests, quoted so that it can be pasted into a shell."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, Final

from orchestrator.cli.arguments import CONFIG_DIR, CONFIG_NAME
from orchestrator.config.concealed_arguments import without_secret, without_secret_value
from orchestrator.config.overrides import as_override
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from collections.abc import Iterable

# A word as `_quote` writes it, up to a space or the end.
_WORD: Final = re.compile(r"""(?:\$'([^']*)'|((?:'[^']*'|"'"|[^\s'"])+))(?=\s|\Z)""")


def next_command(options: argparse.Namespace, *words: str) -> str:
    """Return another ``orch`` command for the experiment that the options name.

    Values that look like credentials are replaced: they do not determine the experiment.
    """
    line = ["orch", *words]
    folder, name = (None, None) if options.app else (CONFIG_DIR, CONFIG_NAME)
    if options.app:
        line.append(f"--app={options.app}")
    if options.config_dir != folder:
        line.append(f"--config-dir={options.config_dir}")
    if options.config_name != name:
        line.append(f"--config-name={options.config_name}")
    return join_words([*line, *map(without_secret_value, options.overrides)])


def options_of_experiment(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options for a command that needs the experiment, and not its grid.

    Only with the overrides that name it, if the config names the same experiment without the others.
    """
    from orchestrator.cli.lookup import names_experiment, source_of  # noqa: PLC0415 # composes configs
    from orchestrator.planning.load import describe  # noqa: PLC0415 # as above

    kept = [override for override in options.overrides if names_experiment(override)]
    if kept == options.overrides:
        return options
    bare = argparse.Namespace(**vars(options) | {"overrides": kept})
    try:
        found, same = (describe(source_of(each))[1].path for each in (bare, options))
    except OrchestratorError:  # a value may be missing
        return options
    return bare if found == same else options


def words_of(options: argparse.Namespace) -> list[str]:
    """Return what says, besides the config, which runs are executed."""
    if options.command != "rerun":
        return ["run"]
    where = [] if options.where is None else ["--where", options.where]
    return ["rerun", *options.runs, *where]


def typed_command(options: argparse.Namespace) -> str:
    """Return the command that executes runs, as it was typed, without credentials and most options."""
    if options.typed:  # of another program, in which this one is a library
        return join_words(map(without_secret, options.typed))
    made = options
    if (halving := getattr(options, "halving", None)) is not None:  # which runs go on depends on it
        kept = [it for it in options.overrides if not it.lstrip("+").startswith("orch.halving")]
        is_plain = re.fullmatch(r"\w[\w/:.-]*", halving)  # in Hydra's grammar
        word = f"orch.halving={halving}" if is_plain else as_override("orch.halving", halving)
        words = [*kept, word]
        made = argparse.Namespace(**{**vars(options), "overrides": words})
    return next_command(made, *map(without_secret, words_of(options)))


def join_words(words: Iterable[str]) -> str:
    """Return a command that can be pasted into a shell."""
    return " ".join(map(_quote, words))


def split_words(line: str) -> list[str]:
    """Return the words of a command that ``join_words`` made.

    Raises:
        ValueError: It is none.
    """
    words, end = [], 0
    for found in _WORD.finditer(line):
        if found.start() != end:
            break
        end = found.end() + 1
        escaped, plain = found.groups()
        words += shlex.split(plain) if escaped is None else [_unescape(escaped)]
    if end <= len(line):
        raise ValueError("a word is not quoted")
    return words


def _quote(word: str) -> str:
    """Quote a word for a shell; unprintable characters are escaped as in bash, zsh and ksh."""
    if word.isprintable():
        return shlex.quote(word)
    plain = (c if c.isprintable() and c not in "\\'" else _escape(c) for c in word)
    return f"$'{''.join(plain)}'"


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


def _unescape(word: str) -> str:
    made = re.sub(rb"\\x(..)", lambda it: bytes.fromhex(it[1].decode()), word.encode())
    return made.decode(errors="surrogateescape")
