"""What a plan says about the values that run IDs depend on."""

from orchestrator.config.identity_notes import IdentityNotes


def test_values_that_each_run_has_are_named_once() -> None:
    """All in one line, of many the first, and none that is excluded anyway."""
    notes = IdentityNotes("/home/me")
    config = {"a": "x", "b": {"c": "y"}, "l": ["z"], "d": 1, "orch": {"command": ["x"]}}
    own = [("a",), ("b", "c"), ("l", 0), ("d",), ("orch", "command", 0)]
    notes.look_at(config, own, ["d"])
    notes.look_at(config, own, ["d"])
    (said,) = notes.say()
    assert said.startswith("a, b.c, l.0 differ from run to run")
    many = IdentityNotes("/home/me")
    many.look_at({f"k{n}": n for n in range(9)}, [(f"k{n}",) for n in range(9)], [])
    assert "k4 and 4 more differ" in many.say()[0]


def test_values_that_name_the_working_folder_are_named() -> None:
    """It and what is in it, but not a folder whose name only begins like it."""
    notes = IdentityNotes("/home/me")
    config = {"a": "/home/me", "b": {"c": "/home/me/data"}, "d": "/home/meg", "e": "/home/me"}
    notes.look_at(config, [], ["e"])
    (said,) = notes.say()
    assert said.startswith("a, b.c name the working folder")
    assert said.endswith("elsewhere the run IDs are others, unless orch.identity.exclude=[a,b.c]")
    many = IdentityNotes("/home/me")
    many.look_at({f"k{n}": "/home/me" for n in range(9)}, [], [])
    assert many.say()[0].endswith("orch.identity.exclude=[k0,k1,k2,k3,k4,...]")


def test_config_without_such_values_has_no_notes() -> None:
    """Which is nearly every config."""
    notes = IdentityNotes("/home/me")
    notes.look_at({"a": 1, "b": "x"}, [], [])
    assert notes.say() == ()
