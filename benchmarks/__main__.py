"""Run all benchmarks in turn and write down what they found: `python -m benchmarks [--rounds N] [--items N]`.

The exit status is 1 when a goal was not reached; with `--quick` figures mean nothing, and it is 0.
"""

from __future__ import annotations

import sys

from benchmarks import crowd, makespan, original, startup, throughput
from benchmarks.course import BENCH, course_of
from benchmarks.report import markdown, missed_goals, show

REPORT = BENCH / "report.md"


def main() -> None:
    """Measure everything."""
    course = course_of(__doc__)
    sections = []
    try:
        for measure in (throughput.measure, makespan.measure, crowd.measure, startup.measure, original.measure):
            sections.append(section := measure(course))
            show(section)
    finally:
        course.servers.end()
    BENCH.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(markdown(sections))
    print(f"written: {REPORT}")
    if (missed := missed_goals(sections)) and not course.quick:
        sys.exit(f"not reached: {', '.join(missed)}")


if __name__ == "__main__":
    main()
