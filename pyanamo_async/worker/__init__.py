"""CONDUCTS: the pilot loop, one attempt, beats, stopping. Sees ports only; creates the asyncio tasks."""
