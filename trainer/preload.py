"""Prepares a process that forks trainings: import it there, before anything else of the trainer.

Importing any other module of this package changes nothing outside of it.
"""

from trainer.lazy_compiler import load_late

load_late()
