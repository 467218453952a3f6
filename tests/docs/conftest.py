"""Tests of the documentation: pages are read here, and their code blocks run."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
