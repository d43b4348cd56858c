"""CONDUCTS ONE WORKER: the loop, one attempt, heartbeats, stopping. Sees ports only; creates the asyncio tasks."""
