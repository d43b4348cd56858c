"""A fleet in one process: what DynamoDB allows and charges (`facts`), as a service (`service`), and as a flow (`flow`).

`service` answers the product's own store, request by request, on virtual time; `crew` runs the product's own workers
against it. `flow` is the same arithmetic without the requests, for ten thousand workers and ten million items; it is
held to `service` by a test.
"""
