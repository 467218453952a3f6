"""The preload of a process that forks trainings: import it there before other trainer modules.

Importing any other module of this package has no side effects.
"""

from trainer.lazy_compiler import load_late

load_late()
