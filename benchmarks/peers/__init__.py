"""Other tools that run piles of scripts, installed into `.cache/bench` and never into `.venv`.

`install` fetches them, `rivals` has each run scripts as its documentation says; the programs in `runners/` are run by
the tools' own Python. Choices are made in their favour: servers and pools are started before the clock, what waits for
company by default is told to wait as briefly as it can, and start-up is taken off wherever it can be told.
"""
