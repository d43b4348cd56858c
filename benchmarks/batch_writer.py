"""What a script with boto3 does to fill a table: `python batch_writer.py FILE TABLE`, after the example in its docs.

https://docs.aws.amazon.com/boto3/latest/guide/dynamodb.html#batch-writing. The rows are those that pyanamo writes, but
nothing is checked, and what is in the table already is overwritten.
"""

import csv
import random
import sys
import zlib

import boto3

SHARDS = 16


def main(path: str, name: str) -> None:
    """Put every row of a task file into the table."""
    table = boto3.resource("dynamodb").Table(name)
    with open(path) as file, table.batch_writer() as batch:  # noqa: PTH123 - as in the docs
        for row in csv.DictReader(file, delimiter="|"):
            batch.put_item(
                Item={
                    "itemID": row["itemID"],
                    "taskID": row["TaskID"],
                    "TaskScript": row["TaskScript"],
                    "ItemState": "todo",
                    "Mark": f"{random.getrandbits(32):08x}",
                    "Queue": f"todo#{zlib.crc32(row['itemID'].encode()) % SHARDS}",
                    "Queue_Key": f"05{random.getrandbits(32):08x}",
                }
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
