"""COORDINATES WORKERS: which have died, taking over their items, when a worker goes home, notifications."""
