"""The JSON Schema of what each command prints with `--json` or `--jsonl`.

Objects are closed: what a schema does not name is not printed, and what it does not call optional always is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pyanamo_async import State, WorkerCondition
from pyanamo_async.core.platforms import FIELDS
from pyanamo_async.core.stored.task_record import OUTCOMES
from pyanamo_async.core.trace import COLUMNS
from pyanamo_async.operate.findings import FindingKind
from tests.docs.pages import DOCS, codes, rows, section

TABLE_PAGE = DOCS / "reference" / "table.md"
Schema = dict[str, Any]


def a(kind: str, about: str = "", /, **more: object) -> Schema:
    """Return the schema of a value; a kind like `string?` may be null."""
    name = kind.removesuffix("?")
    kinds: object = [name, "null"] if kind.endswith("?") else name
    return {"type": kinds, **({"description": about} if about else {}), **more}


def an_object(about: str = "", optional: Collection[str] = (), /, **fields: Schema) -> Schema:
    """Return the schema of an object with these fields and no others."""
    needed = [name for name in fields if name not in optional]
    return a("object", about, properties=fields, required=needed, additionalProperties=False)


def a_list(of: Schema, about: str = "") -> Schema:
    """Return the schema of a list."""
    return a("array", about, items=of)


def counts(about: str = "", *names: str) -> Schema:
    """Return the schema of numbers by name."""
    return an_object(about, **dict.fromkeys(names, COUNT))


COUNT = a("integer")
IDS = a_list(a("string"), "itemIDs")
TIME = a("string", "ISO 8601 in UTC, to the millisecond", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
TIME_OR_NULL = TIME | {"type": ["string", "null"]}
SIZES = {"attempt", "array_index", "memory_bytes", "budget_bytes"}  # of a platform
STATES = [str(state) for state in State]
BY_STATE = counts("items by state", *STATES)

_STORED = {"S": a("string"), "N": a("number"), "M": a("object"), "L of S": a_list(a("string")), "S, or M": {}}


def _stored(heading: str) -> dict[str, Schema]:
    """Return the schemas of the attributes of a section of the table's page, without those of the queue."""
    found = {
        name: _STORED[cell[1].removesuffix(", hash key")]
        for cell in rows(section(TABLE_PAGE, heading))[1:]
        for name in codes(cell[0])
        if "index" not in cell[1]
    }
    return {"ItemState": a("string", enum=STATES)} | {name: of for name, of in found.items() if name != "ItemState"}


def _record() -> Schema:
    fields = {name: of for name, of in _stored("Task records").items() if name != "ItemState"}
    fields["Status"] = a("string", enum=[*OUTCOMES])
    needed = {"Status", "Started", "Finished", "Seconds", "Attempt", "Worker"}
    return an_object("how the last attempt ended", fields.keys() - needed, **fields)


def _items() -> tuple[Schema, Schema]:
    """Return the schemas of an item, whole and in summary."""
    fields = _stored("Item rows")
    tasks = {name: of for name, of in _stored("Tasks of a nested item").items() if name != "ItemState"}
    task = an_object("", {"Attempts", "Failures", "Checkpoint_From"}, **tasks)
    record = _record()
    by_task = a("object", "by task", patternProperties={r"^Task_\d+$": record}, additionalProperties=False)
    scripts = a("object", "by task", patternProperties={r"^Task_\d+$": task}, additionalProperties=False)
    fields["TaskScript"] = {"description": "of a nested item by task", "anyOf": [a("string"), scripts]}
    fields["Log"] = {"description": "of a nested item by task", "anyOf": [record, by_task]}
    needed = {"itemID", "taskID", "ItemState"}
    whole = an_object("", fields.keys() - needed - {"TaskScript"}, **fields)
    short = {name: of for name, of in fields.items() if name not in {"TaskScript", "Log", "History"}}
    return whole, an_object("as the table has it", short.keys() - needed, **short)


ITEM, SUMMARY = _items()

CHANGE = an_object(
    "",
    {"item_ids"},
    dry_run=a("boolean"),
    selected=COUNT,
    changed=a("integer", "with dry_run those that would be"),
    unchanged=a("integer", "already as ordered"),
    no_longer_matching=a("integer", "left alone: they changed since they were selected"),
    fenced=a("integer", "left alone: somebody wrote them at the same time"),
    failed=COUNT,
    locked=a_list(a("string"), "itemIDs, left alone: workers hold them"),
    missing=a_list(a("string"), "itemIDs that the table does not have"),
    outputs_not_found=a_list(a("string"), "locations in records, where nothing was"),
    outputs_not_removed=a_list(a("string"), "locations of what may still be there"),
    item_ids=a_list(a("string"), "itemIDs, with dry_run alone"),
)

RETRYING = a("boolean", "failed before, and waits to be tried again")
PACE = an_object(items=COUNT, seconds=a("number"))
QUARTER = an_object("", {"ids"}, items=COUNT, ids=a_list(a("string"), "itemIDs; not with --watch"))
SECONDS_LEFT = an_object(
    "null where it is not known", likely=a("number"), least=a("number"), most=a("number?", "null: no bound")
)
BYTES_OR_NULL, SIZE = a("integer?"), {"cpus": a("integer"), "gigabytes": a("integer")}
USED = {
    "tasks": a("integer", "that were looked at"),
    "used_bytes": a("integer", "what 95 % of them stayed below"),
    "largest_bytes": a("integer"),
}
ASKED = {"least_bytes": a("integer"), "most_bytes": a("integer"), **USED}
MEMORY = an_object(
    "what tasks that were settled last used; null where too few tell",
    **USED,
    asked=an_object("those that asked for some by the column Memory", **ASKED) | {"type": ["object", "null"]},
    others=an_object("the others", **USED) | {"type": ["object", "null"]},
    reserved_bytes=BYTES_OR_NULL | {"description": "what the worker that ran most of them had for each item at a time"},
    fitting=an_object(
        "what would have fitted",
        items=a("integer?", "`run -i`"),
        memory_bytes=a("integer?", "`run --memory`"),
        memory_of_tasks=a_list(
            an_object(**ASKED, need_bytes=a("integer")), "those that asked for far more or less than they need"
        ),
        instance=an_object("of EC2", name=a("string"), **SIZE) | {"type": ["object", "null"]},
        fargate=an_object("a task size", **SIZE) | {"type": ["object", "null"]},
    ),
)
STATUS = an_object(
    table=a("string"),
    at=TIME,
    items=BY_STATE,
    retrying=a("integer", "of those to do: failed before, and tried again"),
    total=COUNT,
    tasks=counts("", "total", "todo", "done", "failed"),
    nested=an_object(
        "nested items by the percentage of their tasks that are done",
        **dict.fromkeys(("todo", "1-25", "26-50", "51-75", "76-99", "done"), QUARTER),
    ),
    crashes=COUNT,
    interruptions=COUNT,
    seconds_lost=a("number", "how long scripts ran in vain"),
    seconds_saved=a("number", "how long they had run for checkpoints from which later attempts went on"),
    cpu_seconds_lost=a("number", "seconds_lost of each item times its Cpus, added up"),
    cpu_seconds_saved=a("number", "seconds_saved of each item times its Cpus, added up"),
    memory=MEMORY | {"type": ["object", "null"]},
    too_large=a_list(
        an_object(
            memory_class=a("integer", "in GiB"),
            items=COUNT,
            need_bytes=a("integer?", "the most that one of them needs, of up to 50; null where rows may not be read"),
        ),
        "items that no living worker has the memory for",
    ),
    last_attempts=a("integer", "items that wait for a worker with --last-attempts, where none lives"),
    workers=counts("", "alive", "running", "waiting_for_room", "slots"),
    items_per_second=a("number"),
    settled=an_object("items that came to an end", recent=PACE, last_hour=PACE),
    seconds_left=SECONDS_LEFT | {"type": ["object", "null"]},
    waits_until=TIME_OR_NULL | {"description": "the latest time until which a retrying item waits"},
    failures=a_list(an_object(retrying=RETRYING, reason=a("string"), items=COUNT, example=a("string", "an itemID"))),
    failures_examined=a("integer", "how many failed items were grouped"),
    halted=a_list(
        an_object(worker=a("string"), host=a("string"), reason=a("string")),
        "workers that ended of late because too much failed, the latest first",
    ),
)

WORKER = an_object(
    worker=a("string"),
    condition=a("string", enum=[str(each) for each in WorkerCondition]),
    platform=an_object(
        "where it runs; what is unknown is left out",
        FIELDS,
        **{name: a("string") for name in FIELDS if name not in SIZES | {"cpus"}},
        **{name: a("integer") for name in sorted(SIZES)},
        cpus=a("number"),
    ),
    stopped_by=a("string", "what makes it end, or nothing"),
    host=a("string"),
    job=a("string", "the Batch job and attempt, or nothing"),
    started=TIME,
    heartbeat=TIME,
    lease_seconds=a("number"),
    slots=COUNT,
    running=COUNT,
    done=COUNT,
    rss_bytes=COUNT,
    desired=a("string", enum=["run", "drain", "stop"]),
)
JOB = an_object(
    worker=a("string"),
    job=a("string?", "null: the worker is no job of Batch's"),
    attempt=a("integer?"),
    status=a("string?", "as Batch says it, or `no longer known`"),
    reason=a("string"),
    exit_code=a("integer?"),
    started=TIME_OR_NULL,
    stopped=TIME_OR_NULL,
    items=IDS,
)
FAILURES = an_object(
    "",
    {"items", "tasks", "example_task"},
    items=COUNT,
    tasks=a("integer", "instead of items, with --tasks"),
    retrying=RETRYING,
    reason=a("string"),
    example=a("string", "an itemID"),
    example_task=a("string", "with --tasks, or of a nested item"),
    example_reason=a("string"),
)
SAMPLE_STEP = an_object(
    state=a("string", enum=["failed", "held", "running", "todo", "done", ""]),
    **dict.fromkeys(("items", "done", "failed", "held", "locked", "waiting"), COUNT),
)
TRACE_TYPES = {
    "integer": ("Exit_Code", "Signal", "Attempt", "Max_RSS", "stdout_bytes", "stderr_bytes"),
    "number": ("Seconds", "CPU_Seconds"),
}
TRACED = {name: a(f"{kind}?") for kind, names in TRACE_TYPES.items() for name in names}
TRACE = {name: TRACED.get(name, a("string?")) for name in COLUMNS}
FINDING = an_object(
    finding=a("string", enum=[str(each) for each in FindingKind]),
    which=a("string"),
    since=TIME_OR_NULL,
    removed=a("boolean"),
    hint=a("string"),
)
INDEX = an_object(name=a("string"), keys=a_list(a("string")), projection=a("string"))

SCHEMAS: dict[str, Schema] = {
    "import --json": an_object(
        dry_run=a("boolean"),
        items=a("integer", "in the file"),
        tasks=COUNT,
        **dict.fromkeys(("added", "skipped", "replaced", "updated", "locked"), COUNT),
        differing=a("integer", "skipped, and other than the table has them"),
        unreadable=a("integer", "skipped, and their rows cannot be read"),
        locked_ids=IDS,
    ),
    "status --json": a_list(STATUS),
    "status --watch --json": STATUS,
    "list --json": a_list(SUMMARY),
    "list --jsonl": SUMMARY,
    "show --json": ITEM,
    "explain --json": an_object(
        itemID=a("string"),
        state=a("string", enum=STATES),
        because=a_list(a("string"), "sentences"),
        next=a_list(an_object(command=a("string"), purpose=a("string"))),
    ),
    "failures --json": a_list(FAILURES),
    **{f"{verb} --json": CHANGE for verb in ("retry", "reset", "hold", "unhold", "cancel", "delete", "set")},
    "samples --json": a_list(
        an_object(sample=a("string"), steps=a("object", "by the name of the step", additionalProperties=SAMPLE_STEP))
    ),
    "results --jsonl": a(
        "object",
        "the columns of the tag are those of --tag-names, or tag_1, tag_2 and so on",
        properties={"taskID": a("string"), "itemID": a("string"), "Task": a("string"), "Argument": a("string?")},
        required=["taskID", "itemID", "Task", "Argument"],
        additionalProperties=a("string", type=["string", "number", "boolean", "null"]),
    ),
    "files --json": a_list(
        an_object(
            itemID=a("string"),
            Task=a("string?", "null: the item is not nested"),
            Path=a("string", "in PYANAMO_RESULTS"),
            Bytes=COUNT,
            Location=a("string", "where it is stored"),
        )
    ),
    "trace --json": a_list(an_object(**TRACE)),
    "trace --jsonl": an_object(**TRACE),
    "doctor --json": a_list(FINDING),
    "bench --json": an_object(
        imported_per_second=a("number"),
        run_per_second=a("number"),
        units_per_item=an_object("null: no charge", write=a("number"), read=a("number")) | {"type": ["object", "null"]},
        output_bytes_per_second=a("number?", "null: no bucket"),
        usd_per_million_items=a("number?"),
    ),
    "reclaim --json": counts("", "reclaimed", "failed"),
    "reclaim --dry-run --json": an_object(would_reclaim=IDS),
    "workers --json": a_list(WORKER),
    "workers --jobs --json": a_list(JOB),
    "batch submit --json": an_object(
        "",
        {"job_ids"},
        dry_run=a("boolean"),
        job_ids=a_list(
            a("string"), "of jobs and arrays, in the order of `sizes`, then for last attempts; not with dry_run"
        ),
        jobs=COUNT,
        sizes=a_list(COUNT, "of arrays; 1 is a plain job"),
        because=a("string", "how their number came about with --for, or nothing"),
        name=a("string"),
        queue=a("string"),
        definition=a("string"),
        share=a("string?"),
        last_attempts=an_object(
            "the worker for items that lost their machines so often",
            queue=a("string"),
            after=COUNT,
            environment=a("object"),
        )
        | {"type": ["object", "null"]},
        environment=a("object", "the variables of the workers"),
        tags=a("object"),
    ),
    "batch list --json": a_list(
        an_object(
            job=a("string"),
            name=a("string"),
            queue=a("string"),
            jobs=a("integer", "how many an array has"),
            status=a("string", "as Batch says it"),
            by_status=a("object", "how many jobs of an array are in which status"),
            reason=a("string"),
            submitted=TIME,
        )
    ),
    "batch cancel --json": an_object(
        "",
        {"job_ids"},
        dry_run=a("boolean"),
        job_ids=a_list(a("string"), "of those that would be cancelled, with dry_run alone"),
        cancelled=a("integer", "jobs and arrays"),
        terminated=a("integer", "of them, those that outlasted the drain"),
    ),
    "batch why --json": an_object(because=a_list(a("string"), "sentences")),
    "table describe --json": an_object(
        table=a("string"),
        output_namespace=a("string", "what the table is called where its output is"),
        keys=a_list(a("string")),
        indexes=a_list(INDEX),
        shards=COUNT,
        schema_version=COUNT,
        billing=a("string"),
        status=a("string"),
        size_bytes=a("integer?"),
        created=TIME_OR_NULL,
        items=BY_STATE,
        total=COUNT,
        last_attempts_after=a("integer?", "how often an item may lose its machine until it is left to last attempts"),
    ),
    "table adopt --json": an_object(
        "",
        {"item_ids"},
        dry_run=a("boolean"),
        adopted=COUNT,
        fenced=COUNT,
        failed=COUNT,
        locked=IDS,
        item_ids=a_list(a("string"), "itemIDs, with dry_run alone"),
    ),
    "table clear --json": CHANGE,
    "table autoscale --json": a_list(
        an_object(
            policy=a("string"),
            index=a("string?", "null: the table itself"),
            operation=a("string", enum=["read", "write"]),
            min=COUNT,
            max=COUNT,
            target_percent=a("number"),
            in_cooldown_seconds=a("number"),
            out_cooldown_seconds=a("number"),
        )
    ),
    "table export-template --json": a("object", "a template of CloudFormation", required=["Resources"]),
}
"""By the command and the flags that it depends on."""
