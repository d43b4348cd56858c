"""The deterministic fleet: one model of workers, machines, network and table, used by tests and benchmarks.

Workers, rules and the DynamoDB store are the product's own. Only time, scripts, machines and the service are simulated,
so the same schedule always goes the same way.

- `virtual_time`, `suspension`: an event loop whose time jumps; processes that stop, and machines with wrong clocks.
- `service`, `index`, `language`, `limits`, `facts`: a table of DynamoDB, with what it allows and charges.
- `network`: the way there, which loses, repeats and delays.
- `crew`, `fake_launcher`, `workers`, `items`: workers put together from their parts, fake scripts, items.
- `schedule`, `member`, `fleet`, `laws`: what happens to a fleet, and what must hold all the same.
- `flow`, `flow_index`, `flow_plan`: the same arithmetic without requests, for ten thousand workers; a test holds it to
  the real workers.
- `packing`: mixed loads on one worker that learns what its tasks need; `python -m simulation.packing` prints a table.

`python -m simulation 0..9999` runs schedules, `python -m simulation 4711` replays one.
"""
