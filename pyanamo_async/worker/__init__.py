"""CONDUCTS ONE WORKER: the loop, one attempt, heartbeats, stopping. Sees ports and `fleet`; creates the tasks."""
