"""Source set-up scripts in a shell, and bring their variables back.

1. They are sourced under `set -a`: what they assign is exported, and so reaches tasks.
2. The first command that fails ends the set-up (`set -e`), and is named.
3. What they print goes to stderr; what they leave running goes on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyanamo_async.core.text.visible import one_line
from pyanamo_async.errors import PyanamoError

PROGRAM = r"""
exec >&2
trap 'printf "%s: line %s: \`%s\` failed" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND" >"$PYANAMO_SETUP_REASON"' ERR
set -aeE
. "$1"
set +aeE
trap - ERR EXIT
"$2" -0 >"$3"
"""
REASON = "PYANAMO_SETUP_REASON"


def source(script: Path, environment: Mapping[str, str], *, folder: Path) -> dict[str, str]:
    """Source a script in `folder`, and return the variables that it leaves.

    Raises:
        PyanamoError: it fails, or ends the shell.
    """
    bash, env = _program("bash"), _program("env")
    with tempfile.TemporaryDirectory(prefix="pyanamo-setup-") as scratch:
        variables, reason = Path(scratch) / "variables", Path(scratch) / "reason"
        command: Sequence[str] = [
            bash,
            "--noprofile",
            "--norc",
            "-c",
            PROGRAM,
            "setup",
            str(script),
            env,
            str(variables),
        ]
        status = _run(command, folder, {**environment, REASON: str(reason)})
        if status or not variables.exists():
            why = one_line(reason.read_text(errors="replace")) if reason.exists() else f"{script} ended the shell"
            raise PyanamoError(
                f"the set-up failed with status {status}: {why}",
                hint="it is sourced under `set -e`: write `|| true` behind what may fail, and return instead of exit",
            )
        pairs = [os.fsdecode(each).partition("=") for each in variables.read_bytes().split(b"\0") if each]
    return {name: value for name, _, value in pairs if name != REASON}


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a command in a session of its own, and return its status; whatever interrupts this ends all of it."""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def check_syntax(script: Path) -> None:
    """See that a script can be parsed, and run nothing.

    Raises:
        PyanamoError: it cannot.
    """
    parsed = subprocess.run([_program("bash"), "-n", str(script)], capture_output=True, text=True, check=False)
    if parsed.returncode:
        raise PyanamoError(f"the set-up cannot be parsed: {one_line(parsed.stderr.strip())}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PyanamoError(f"there is no {name} on PATH", hint=f"set-up scripts are sourced by bash; install {name}")
    return found
