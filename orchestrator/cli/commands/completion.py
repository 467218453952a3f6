"""``orch completion``: prints the script with which a shell completes command lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from rich.console import Console

_BASH: Final = """\
# Completion for bash. Put this into ~/.bashrc:  eval "$(orch completion bash)"
_orch_complete() {
    mapfile -t COMPREPLY < <("$1" __complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    case "${COMPREPLY[0]-}" in *=|*.|*/) compopt -o nospace ;; esac
}
complete -F _orch_complete orch
"""
_ZSH: Final = """\
#compdef orch
# Completion for zsh. Put this into ~/.zshrc, after compinit:  eval "$(orch completion zsh)"
_orch_complete() {
    local -a found
    found=("${(@f)$(orch __complete zsh "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    found=(${found:#})
    local -a open=(${(M)found:#*[=./]}) whole=(${found:#*[=./]})
    (( $#open )) && compadd -Q -S '' -- $open
    (( $#whole )) && compadd -Q -- $whole
    (( $#found ))
}
compdef _orch_complete orch
"""
_FISH: Final = """\
# Completion for fish. Put this into ~/.config/fish/config.fish:  orch completion fish | source
complete -c orch -f -a '(orch __complete fish (commandline -cp))'
"""
_SCRIPTS: Final[Mapping[str, str]] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(options: argparse.Namespace, console: Console) -> int:
    """Print the script, and return 0."""
    console.file.write(_SCRIPTS[options.shell])
    return 0
