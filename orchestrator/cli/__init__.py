"""What is typed and what is shown: the commands, the board and the tables.

Runs in ``orch`` itself. The only room that draws; it may import every other room.
"""
