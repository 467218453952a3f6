"""The run directories on disk: file names, durable writes, locks, records, and the state they mean.

Runs in every process. The only package that spells the names inside a run directory.
"""
