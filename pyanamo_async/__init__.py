"""pyanamo_async: a pilot-job worker on one asyncio event loop.

core/       the rules: pure functions on items
ports.py    the seams: Store, OutputStore, Sink, Launcher, Process, Clock
store/      remembers: memory, sqlite, dynamodb
outputs/    carries output: files, s3, memory
execution/  runs one script: event loop, process group, pipes, resource usage
worker/     conducts: the pilot loop, one attempt, beats, stopping
aws/        the platform: session, clients, who am I
operate/    verbs of a person: import, status, list, show, logs
cli/        talks: typer commands, tables, JSON
app.py      wires: the only place that knows which adapter is real
"""

__version__ = "0.1.0"
