"""A module that cannot be imported."""

Model = Undefined  # type: ignore[name-defined]  # noqa: F821 - on purpose
