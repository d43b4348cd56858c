"""pyanamo_async: a pilot-job worker on one asyncio event loop.

core/       the rules: pure functions on items
ports/      the seams: Store, OutputStore, Sink, Launcher, Process, Clock
store/      remembers: memory, sqlite, dynamodb
outputs/    carries output: files, s3, cloudwatch, memory
execution/  runs one script: event loop, process group, pipes, resource usage
worker/     conducts: the pilot loop, one attempt, beats, stopping, publishing what is followed
aws/        the platform: session, clients, what its errors mean, who am I, Spot notices
operate/    verbs of a person: import, status, list, show, logs, trace, workers, reclaim, doctor, bench
cli/        talks: typer commands, tables, JSON
settings.py what a command was told, validated once; addresses.py: where tables and output are
app.py      wires: the only place that knows which adapter is real; station.py: the half of it that runs a worker
clock.py, cpus.py, process_mark.py: what the operating system knows of time, of CPUs, and of a worker that died
first_process.py: what a worker does where it is the first process of a container
"""

__version__ = "0.1.0"
