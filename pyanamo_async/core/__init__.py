"""THE RULES: items, states, task files, wall time, backoff, output budget, progress.

Pure: never awaits, and knows no clock, dice, environment, disk or network; those come in as arguments.
"""
