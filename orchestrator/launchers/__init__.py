"""Launchers: the ways to start a runner. All of them start the same runner."""
