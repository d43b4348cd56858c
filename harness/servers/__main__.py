"""Start both servers by hand: `python -m harness.servers` prints the variables that find them and waits for Ctrl-C.

With a command behind it, that runs with these variables, and the servers end with it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress

from harness.servers.parts import PartMissing
from harness.servers.running import Run, environment


def main() -> int:
    """Run a command, or print `export NAME=value` lines; the servers run until this process ends."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = Run.mine()
    try:
        with suppress(KeyboardInterrupt):
            variables = environment(run.dynamodb(), run.moto())
            if command := sys.argv[1:]:
                return subprocess.run(command, env=os.environ | variables, check=False).returncode
            for name, value in variables.items():
                print(f"export {name}={shlex.quote(value)}", flush=True)
            print("# the servers run until Ctrl-C", file=sys.stderr)
            signal.pause()
    except PartMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    finally:
        run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
