"""What happens when: breaks in a series of counts, the order of two events, the days between them.

Time until an event under censoring belongs in ``survival``.
"""
