"""From runs and their states to a plan, and how finished runs compare.

Runs in ``orch``. Pure but for ``load``, which reads the config folder and the run directories.
"""
