"""REMEMBERS: items and workers, in memory, in SQLite, in DynamoDB. Decides nothing."""
