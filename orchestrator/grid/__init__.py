"""From axes to runs: points, filters and identity.

Pure values and functions: no file, no clock, no process, no library but the standard one.
"""
