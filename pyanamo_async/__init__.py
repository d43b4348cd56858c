"""pyanamo_async: a pilot-job worker. Shell tasks in a table, any number of identical workers, one event loop each.

The public API is what `__init__.pyi` lists; `open_table` is where it begins. Nothing is imported before it is used.

The map, each line using only the lines below it:

cli/        talks: typer commands, parsing of flags, tables, JSON; on the API and values of core/
testing.py  stores in memory, for the tests of programs that use pyanamo
api.py      open_table() -> Table: all that a person can do
table_batch.py  the part of Table that has to do with its workers on AWS Batch
table_capacity.py  the part of Table that has to do with what DynamoDB takes
table_editor.py  the part of Table by which a person corrects items
table_report.py  the part of Table that draws what became of its tasks
table_files.py  the part of Table that has the files which tasks left as their results
table_results.py  the part of Table that has what is in it, as rows and files
table_progress.py  the part of Table that tells how far it is
table_reader.py  the half of Table that changes nothing
app/        wires: settings, where tables and outputs are, opening and closing them, putting a worker together
operate/    verbs of a person: import, select, change, status, failures, logs, follow, workers, reclaim, doctor
worker/     conducts one worker: the loop, one attempt, heartbeats, stopping
fleet/      how workers cooperate: membership, reclaim, when one may exit, notifications
store/      remembers: memory, sqlite, dynamodb
outputs/    carries output: files, s3, cloudwatch, memory
execution/  runs one script: event loop, process group, pipes, resource usage
aws/        the platform: session, clients, Spot notices
host/       the machine: clock, CPUs, PID 1, which processes are alive
ports/      the seams: small protocols, whose docstrings are law
core/       the rules: pure functions on items
errors.py   the whole error tree
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
