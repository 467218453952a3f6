"""Run ``python -m orchestrator.runner``: one attempt of one run."""

import sys

from orchestrator.runner.runner import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
