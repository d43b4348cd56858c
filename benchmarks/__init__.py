"""Measurements, side by side in one run: `make bench`, or one of them by its name, `python -m benchmarks.NAME --help`.

throughput  how many scripts that do nothing per second: pyanamo, xargs, bare loops as floors, and other tools
makespan    what is lost against the ideal when 2,000 tasks of 100 ms run 8 at a time
crowd       a thousand scripts at once, and claiming beside a hundred thousand items that are done
startup     commands that are done at once, and what a worker weighs that has nothing to do
original    what the original PyAnamo's protocol costs on DynamoDB, against ours

`rounds` interleaves and compares, `processes` measures one process, `contenders` and `floors` run scripts each in their
way, `peers` installs other tools into `.cache/bench`, `report` prints. `output`, `spawn`, `contention` and `scale` are
commands of their own; the last two simulate, with `fleet`. Laws: contenders take turns within each round, because a
machine drifts, and ratios are taken within a round; whoever is measured has proven that it ran every script; what is
missing is named.
"""
