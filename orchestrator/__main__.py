"""Runs ``orch`` for ``python -m orchestrator``."""

import sys

# -m puts the current folder first, where a user's file may have the name of any module.
if not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))

from orchestrator.cli.main import main

main()
