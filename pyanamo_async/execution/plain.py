"""Scripts that are one plain command: they are started without a shell, as make(1) does.

A shell would cut such a script at its blanks, look the command up and become it. That costs more than many a command:
1.3 ms of CPU for bash. Laws: whatever a shell might read otherwise goes to the shell (quotes, variables, patterns,
redirections, its own words; options, functions and start-up files in the environment; a PATH that is not all absolute,
for bash reads `~` there), and so does a command that is not found or cannot be run, for the shell to say so, or one
that takes a second to find: a folder of PATH is away, and a shell that waits for it can be ended. Only for loops that
raise the errors of exec itself: others run a script without `#!` in sh, where bash would run it in bash.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

COMMAND = re.compile(r"[A-Za-z0-9_./][\w./+-]*(?:[ \t]+[\w./:=@%+,-]+)*", re.ASCII)
# Of bash 5.2 and dash 0.5.12: built in, and perhaps other than the program of that name, or of their grammar.
WORDS_OF_SHELLS = """
    . : alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs
    disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help history if
    in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt
    source suspend test then time times trap type typeset ulimit umask unalias unset until wait while
"""
PROGRAMS_TELL_MORE = frozenset({"true", "false"})  # with arguments: `true --version`
CHANGE_BASH, FUNCTION = frozenset({"BASH_ENV", "SHELLOPTS"}), "BASH_FUNC_"
REMEMBERED_S = 1.0
MOST_REMEMBERED = 1000
MOST_UNDER_WAY = 8

_shells_own = frozenset(WORDS_OF_SHELLS.split())


def words(script: str, env: Mapping[str, str]) -> list[str] | None:
    """Cut a script into the words of one plain command; None when it takes a shell to understand it."""
    text = script.strip(" \t\n")
    if not COMMAND.fullmatch(text):
        return None
    found = text.split()
    is_builtin = found[0] in _shells_own or (found[0] in PROGRAMS_TELL_MORE and len(found) > 1)
    changed_by_environment = not CHANGE_BASH.isdisjoint(env) or FUNCTION in "\n".join(env)
    return None if is_builtin or changed_by_environment else found


class Programs:
    """Where commands are: looked up as a shell does, off the loop, and remembered for a second.

    The threads it takes keep no worker alive, as asyncio's own would while a folder is away.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[asyncio.Future[str | None], float]] = {}
        self._under_way = 0

    async def find(self, command: str, env: Mapping[str, str]) -> str | None:
        """Find the program of a command; None when there is none, or a shell is to look for it."""
        if os.sep in command:
            return command
        key = command, env.get("PATH", "")
        now = time.monotonic()
        found, until = self._found.get(key, (None, 0.0))
        if found is None or (now >= until and found.done()):
            found, until = self._look_up(*key), now + REMEMBERED_S
            if found is None:
                return None
            if len(self._found) >= MOST_REMEMBERED:
                self._found.clear()
            self._found[key] = found, until
        if found.done():
            return found.result()
        try:
            return await asyncio.wait_for(asyncio.shield(found), until - now)
        except TimeoutError:
            return None

    def _look_up(self, command: str, search: str) -> asyncio.Future[str | None] | None:
        loop = asyncio.get_running_loop()
        found = loop.create_future()

        def tell(program: str | None) -> None:
            self._under_way -= 1
            found.set_result(program)

        def look() -> None:
            program = shutil.which(command, path=search)
            with suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(tell, program)

        if not _is_absolute(search) or self._under_way >= MOST_UNDER_WAY:
            return None
        try:
            threading.Thread(target=look, name="look-up", daemon=True).start()
        except RuntimeError:  # none can be started
            return None
        self._under_way += 1
        return found


def _is_absolute(search: str) -> bool:
    return all(folder.startswith(os.sep) for folder in search.split(os.pathsep))
