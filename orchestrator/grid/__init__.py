"""From axes to runs: points, filters and identity.

Pure values and functions: no files, no clock, no processes, only the standard library.
"""
