"""Pictures and pages of results: functions from tables to figures and HTML.

They read no run directory and write no file; only the command line calls them.
"""
