"""Slurm: submits pilots, allocations that execute runs with ``orch work``, and watches them.

It decides with what the run directories and Slurm say; what Slurm does not say, it does not assume.
"""
