"""THE RULES: items and their states, task files, stored rows, wall time, backoff, output, expressions.

1. Rules are pure: time and random numbers are arguments; nothing here awaits, or uses an environment, disk or network.
2. Rules know no other room than `errors`.
"""
