"""pyanamo_async: a pilot-job worker. Shell tasks in a table, any number of identical workers, one event loop each.

The public API is what `__init__.pyi` lists; `open_table` is where it begins. Nothing is imported before it is used.

The map, each line using only the lines below it. `CONTRIBUTING.md` has the same map, and a table of where things are
decided.

entrypoint/ brings a container into place: fetches scripts, sources set-ups, becomes a worker
cli/        talks: typer commands, parsing of flags, tables, JSON; on the API and values of core/
api.py      open_table() -> Table: all that a person can do; its parts are
table_batch.py     its workers on AWS Batch
table_capacity.py  what DynamoDB may take a second
table_editor.py    orders on items: retry, reset, hold, delete, set
table_report.py    reports: what became of the tasks
table_files.py     the files that tasks left as their results
table_results.py   results and exports, as rows and files
table_progress.py  how far the table is
table_reader.py    the rest of what only reads: items, output, workers
testing.py  stores in memory, for the tests of programs that use pyanamo
app/        wires: settings, where tables and outputs are, opening and closing them, putting a worker together
operate/    verbs of a person: import, select, change, status, failures, logs, follow, workers, reclaim, doctor
worker/     conducts one worker: the loop, one attempt, heartbeats, stopping
fleet/      how workers cooperate: which have died, taking over their items, when one goes home, notifications
store/      remembers: memory, sqlite, dynamodb
outputs/    carries output: files, s3, cloudwatch, memory
execution/  runs one script: event loop, process group, pipes, resource usage
aws/        the platform: session, clients, Spot notices
host/       the machine: clock, CPUs, PID 1, which processes are alive
ports/      the seams: small protocols, whose docstrings are law
core/       the rules: pure functions on items; within it memory/, stored/, taskfile/, expressions/ and text/
errors.py   the whole error tree
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
