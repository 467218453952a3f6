"""The command line interface: the parser, the commands, the boards and the tables.

Runs in the ``orch`` process. The only package that draws; it may import every other package.
"""
