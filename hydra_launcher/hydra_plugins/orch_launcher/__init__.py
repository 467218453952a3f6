"""The launcher ``orch`` of Hydra's multirun; see ``docs/hydra-launcher.md``.

Every Hydra app imports the modules here whose names do not begin with ``_``: they import nothing that
takes time. ``hydra_plugins`` is a namespace package that all plugins share.
"""
