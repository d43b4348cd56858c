"""CONDUCTS ONE WORKER: the loop, one attempt, heartbeats, stopping. Sees ports, `fleet` and `host`."""
