"""What is on disk: names, safe writes, the lock, records, and the state they mean.

Runs in every process. The only room that spells the names inside a run directory.
"""
