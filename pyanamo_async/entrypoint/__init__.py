"""STARTS A CONTAINER: fetches the scripts of a pipeline, sets its environment up, and becomes the worker.

1. Whatever goes wrong goes wrong before a worker starts, so before any claim: status 1 and one line that says why. A
   signal to stop meanwhile ends it with 75, as does a set-up that takes too long: nothing was begun.
2. What decides (`archive`, `request`) is pure; `preparing`, `unpacking`, `sourcing` and `time_limit` have
   the effects.
3. Nothing of an archive is written outside a fresh folder.
"""
