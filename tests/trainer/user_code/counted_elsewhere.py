"""A module of the user that another one counts in."""

STEPS = 0
