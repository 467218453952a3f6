"""Planning: from runs and their states to a plan, and the comparison of finished runs.

Runs in ``orch``. Pure except ``load``, which reads the config folder and the run directories.
"""
