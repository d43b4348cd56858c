"""VERBS OF A PERSON: import, status, logs, follow, workers, reclaim, doctor; functions over ports.

The time, the lease and what is known of processes are arguments; `api.Table` supplies them.
"""
