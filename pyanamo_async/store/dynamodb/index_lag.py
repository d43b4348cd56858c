"""How far the queue index may be behind the table: DynamoDB updates it after the write, and names no bound.

Source: "Using Global Secondary Indexes" in the DynamoDB developer guide: usually a fraction of a second.
"""

from __future__ import annotations

INDEX_LAG_S = 1.0
"""The usual lag: what is looked for twice is looked for again after this."""

INDEX_LAG_AT_MOST_S = 20.0
"""The longest lag we reckon with: until then, something this worker wrote may be missing from the index."""
