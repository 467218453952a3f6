"""Read-only attributes: callbacks get the trainer, and may read all of it, but assign nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS: Final = __name__.partition(".")[0]
# Attributes by which a program that trains in its own process asks for the end.
FOR_ALL: Final = ("stop_requested", "stop_after")
ADDED: Final = "_added_by_others"


class ReadOnly:
    """An object whose attributes only this package assigns; others may add some of their own.

    An assignment from elsewhere would be used in some places only, and would not be resumed. It is an
    error at the line that makes it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        """Assign an attribute.

        Raises:
            AttributeError: If code of another package assigns one of the object's own.
        """
        if not _is_ours(sys._getframe(1).f_globals):  # noqa: SLF001 - `inspect` has no cheaper way
            self._check(name)
            vars(self).setdefault(ADDED, set()).add(name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """Remove an attribute.

        Raises:
            AttributeError: If code of another package removes one of the object's own.
        """
        if not _is_ours(sys._getframe(1).f_globals):  # noqa: SLF001 - as above
            self._check(name)
        object.__delattr__(self, name)

    def _check(self, name: str) -> None:
        added = vars(self).get(ADDED, ())
        is_own = hasattr(type(self), name) or (name in vars(self) and name not in added)
        if is_own and name not in FOR_ALL:
            raise AttributeError(
                f"{name!r} of {type(self).__name__} can be read, but not assigned or removed: the training"
                " would not use it everywhere. Change the module or the config, or use another name."
            )


def added_by_others(value: ReadOnly) -> dict[str, object]:
    """Return the attributes that code of other packages has added to an object."""
    held = vars(value)
    return {name: held[name] for name in held.get(ADDED, ()) if name in held}


def _is_ours(names_of_caller: Mapping[str, object]) -> bool:
    """Return whether the caller is a module of this package."""
    return str(names_of_caller.get("__name__", "")).partition(".")[0] == OURS
