"""The errors of Hydra, OmegaConf and YAML, as one line that says what to do."""

from __future__ import annotations

import difflib
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml.reader import ReaderError

from orchestrator.config.concealed_arguments import without_secret
from orchestrator.config.shell_quoting import quoted_override
from orchestrator.config.starting_digest import DIGEST, SOURCE
from orchestrator.errors import ConfigError
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hydra.core.config_loader import ConfigLoader

_TAB: Final = "found character '\\t'"
_FOR_TABS: Final = ". Write spaces in place of the tab"
_REFUSALS = (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError)
# Errors inside Hydra that it does not expect, but that some configs cause.
_STUMBLES = (AssertionError, AttributeError, KeyError, TypeError)
# Compiled at the first error, as all patterns here.
_UNKNOWN_KEY = r"Could not override '([^']+)'"
_OUR_RESOLVERS = r"(HydraValueError|StartingWeightsError) raised while resolving interpolation: "
_OPEN_GROUP = r"You must specify '([^']+)', e\.g, .* Available options: (\S.*)"
_QUOTED_OVERRIDE = r"(?s)(?<=^Override ).+(?= looks like a config group override)"
_QUOTED_VALUE = r"(?s)(The value of '([^']+)' is )(.*) and not .*\.$"
# Groups of Hydra's that plugins extend, with the ends of the plugins' names.
_PLUGINS = {
    "hydra/launcher": "-launcher",
    "hydra/sweeper": "-sweeper",
    "hydra/hydra_logging": "",
    "hydra/job_logging": "",
}
_IN_A_FUNCTION = r"\w+ while evaluating '(.*?)': (.*)"
_NAMED = r"\b(?:Choice|Range|Interval|Glob)?Sweep\((?:[^()]|\([^()]*\))*\)"
_KNOWN = "Available: "
_OF_THE_PARSER = (
    (r"missing EQUAL at '<EOF>'", "it has no '='"),
    (r"(?s)missing EQUAL at '(.*)'", r"there is '\1' in place of '='"),
    (r"mismatched input '<EOF>'.*", "its end is missing"),
    (r"(?s)no viable alternative at input '(.*)'", r"'\1' cannot be read"),
    (r"(?:mismatched|extraneous) input '(.*)' expecting .*", r"'\1' does not fit there"),
)
_UNSET = r"^([\w.\[\]]+: )?KeyError raised while resolving interpolation: \"Environment variable '([^']+)' not"
_NOT_A_MAPPING = (
    r"(primary config '.*?') must be a DictConfig, got \w+|Invalid loaded object type: \w+"
)
_UNREGISTERED = "Unsupported interpolation type"
_LONGEST = 400
_OF_OMEGACONF = ("full_key:", "object_type=", "reference_type=")
_UNFILLED = r"\$(?:VALUE|KEY)"  # a template of OmegaConf's, beside the text made from it


@contextmanager
def refusals_of_hydra(known_keys: Callable[[], Iterable[str]] = tuple) -> Iterator[None]:
    """Turn the errors of the libraries into a ``ConfigError`` of one line.

    Args:
        known_keys: Returns the existing dotted keys, to suggest the most similar one.

    Raises:
        ConfigError: The block raised one of these errors.
    """
    try:
        yield
    except _REFUSALS as error:
        raise ConfigError(_say(error, known_keys)) from error
    except _STUMBLES as error:
        if not _is_of_hydra(error):
            raise
        raise ConfigError(
            f"Hydra fails on this config ({_flatten(error)})."
            " Check its defaults lists and the last override."
        ) from error
    except RecursionError as error:
        raise ConfigError(
            "the config is nested too deeply, or refers to itself. Check its interpolations."
        ) from error


def _is_of_hydra(error: BaseException) -> bool:
    """Return whether an error was raised inside the libraries, not in our own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return module.partition(".")[0] in ("hydra", "omegaconf")


@contextmanager
def offering_similar(config_name: str, loader: ConfigLoader) -> Iterator[None]:
    """Let the message about a missing primary config offer those that there are."""
    try:
        yield
    except MissingConfigException as error:
        if error.missing_cfg_file == config_name:
            names = loader.get_group_options("", ObjectType.CONFIG)
            error.options = [name for name in names if not name.startswith("_")]
        raise


def _say(error: BaseException, known_keys: Callable[[], Iterable[str]]) -> str:
    match error:
        case MissingMandatoryValue(full_key=str(key)) if key:
            return (
                f"{key} has no value (???). Set it on the command line, {key}=...,"
                f" or make it an axis: {key}=first,second."
            )
        case MissingConfigException():
            return _say_missing(error)
        case OverrideParseException(override=str(override)):
            shown = without_secret(override)
            what = _say_why_unreadable(str(error)) if shown == override else "it cannot be read"
            what = what if "=" in override or override.startswith("~") else "it has no '='"
            may_repeat = shown == override and len(override) <= _LONGEST
            quoted = quoted_override(override) if may_repeat else ""
            advice = "Write key=value"
            if os.path.isdir(f"{override}/training"):  # noqa: PTH112 # any text
                advice = f"Choose an experiment with experiment_id={Path(override).name}"
            if "=" in override:
                advice = (
                    f"Quote its value: {quoted}"
                    if quoted
                    else f"{advice}; quote special characters"
                )
            return f"{_shorten(shown)!r} is not an override: {_shorten(what)}. {advice}."
    text = _without_secrets(re.sub(_OUR_RESOLVERS, "", _flatten(error)))
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        # What a run begins with is named by the one key, its digest is computed for the other.
        text = f"{SOURCE if error.full_key == DIGEST else error.full_key}: {text}"
    open_group = re.search(_OPEN_GROUP, text)
    if open_group:
        group, options = open_group[1], open_group[2].split()
        return (
            f"{group} has no choice (???). Choose one, {group}={options[0]},"
            f" or make it an axis: {group}={','.join(options)}."
        )
    text = _advise_on_project(text)
    unknown = re.search(_UNKNOWN_KEY, text)
    if unknown:
        key, inside = unknown[1], _innermost_key(error)
        text = _say_unknown(inside if inside.startswith(f"{key}.") else key, known_keys())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _say_why_unreadable(text: str) -> str:
    """Return why Hydra's parser does not accept an override, from its message."""
    lines = [line.strip(" .") for line in text.partition("See https")[0].splitlines()]
    lines = [line for line in lines if line and not line.startswith("Error parsing override")]
    if not lines:
        return "it cannot be read"
    if lines[0].startswith("LexerNoViableAltException"):
        return "it has a quote that is not closed, or a character that has to be quoted"
    if found := re.fullmatch(_IN_A_FUNCTION, lines[0]):
        known = next((line for line in lines if line.startswith(_KNOWN)), "")
        more = f" (there are {', '.join(known.removeprefix(_KNOWN).split(','))})" if known else ""
        return f"{_shorten(found[1])}: {re.sub(_NAMED, 'a sweep', found[2])}{more}"
    for pattern, words in _OF_THE_PARSER:
        if found := re.fullmatch(pattern, lines[0]):
            return found.expand(words)
    return lines[0]


def _advise_on_project(text: str) -> str:
    """Return a message with what to do, if the project itself has what it lacks."""
    if variable := re.search(_UNSET, text):
        name = variable[2]
        return (
            f"{variable[1] or ''}the environment variable {name} is not set. Set it, name a file with it"
            f" (orch.env_file=.env) or a module that sets it (orch.setup), or write a default:"
            f" ${{oc.env:{name},...}}."
        )
    if found := re.search(_NOT_A_MAPPING, text):
        return f"the {found[1] or 'config file'} is not a mapping. Write it as keys with values: key: value."
    if _UNREGISTERED in text:
        return (
            f"{text.rstrip('.')}. Name the module that registers it: orch.setup=[package.module]."
        )
    return text


def _without_secrets(text: str) -> str:
    """Return a message of Hydra's without the values of credentials that it quotes."""
    text = re.sub(_QUOTED_OVERRIDE, lambda found: without_secret(found[0]), text)
    return re.sub(
        _QUOTED_VALUE,
        lambda found: (
            found[0]
            if without_secret(f"{found[2]}={found[3]}").endswith(found[3])
            else f"{found[1]}another."
        ),
        text,
    )


def _innermost_key(error: BaseException) -> str:
    """Return the key that OmegaConf rejected, which may lie within the overridden one."""
    step: BaseException | None = error
    while step is not None:
        if isinstance(step, OmegaConfBaseException) and step.full_key:
            return str(step.full_key)
        step = step.__cause__ or step.__context__
    return ""


def _say_missing(error: MissingConfigException) -> str:
    missing = error.missing_cfg_file
    kind, _, name = str(missing).rpartition("/")
    if kind in _PLUGINS:
        plugin = f"hydra-{name}{_PLUGINS[kind]}"
        return (
            f"there is no config '{missing}': it comes with a plugin of Hydra's, which is not installed."
            f" Install it (pip install {plugin}), or remove it from the defaults."
        )
    options = error.options or ()
    near = difflib.get_close_matches(name, options, n=1)
    if not options or not (kind or near):  # a primary config, which a module may have to register
        there = (
            f"The folder has {', '.join(options)}: choose one with --config-name, or name the Hydra app with"
            " --app. Or"
            if options
            else "Create it,"
        )
        return (
            f"there is no config '{missing}' in the config folder, and no module that was imported"
            f" registers it. {there} register it at the top of the app's module, or name the module"
            " that does in orch.setup."
        )
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"there is no config '{missing}'. Choose one of {', '.join(options)}.{hint}"


def _say_unknown(key: str, known_keys: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, set(known_keys), n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"cannot override '{key}': there is no such key.{hint} To add a key, write +{key}=..."


def _flatten(error: BaseException) -> str:
    """Return the messages of an error and its causes, each once, on one line."""
    parts: list[str] = []
    step: BaseException | None = error
    while step is not None:
        line = _line(step)
        if line not in ("", "None") and not any(line.rstrip(".") in part for part in parts):
            parts.append(line)
        step = step.__cause__ or step.__context__
    text = ": ".join(parts) or type(error).__name__
    return _shorten(text)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _line(error: BaseException) -> str:
    match error:
        case OSError(strerror=str(what)):
            return f"{error.filename}: {what}" if error.filename else what
        case yaml.MarkedYAMLError(problem_mark=yaml.Mark() as mark):
            place = f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}: "
            problem = str(error.problem).removeprefix(place)
            return f"{place}{problem}{_FOR_TABS if _TAB in problem else ''}"
        case ReaderError(name=name, position=position, character=int(character)):
            what = f"the character U+{character:04X} at position {position} is not allowed in YAML"
            return f"{name}: {what}. Remove it, or write it in double quotes with a backslash"
    lines = (line.strip() for line in str(error).splitlines())
    # These lines name OmegaConf's own classes and repeat the key.
    kept = [line for line in lines if line and not line.startswith(_OF_OMEGACONF)]
    kept = [line for line in kept if not re.search(_UNFILLED, line)]
    return printable(" ".join(kept))
