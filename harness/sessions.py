"""Terminal sessions of a page: its `console` blocks, typed one after the other on a terminal of their own.

Lines that begin with `$ ` are typed, those with `> ` go on; the others are what the terminal showed. Variables that a
command exports are there for all later ones. `python -m harness.sessions PAGE FOLDER` types a page in a folder and
shows what happens; with `--write` what the terminal showed is written into the page.
"""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXPORT = "export "
MACHINE = "laptop"  # what pages call the machine that they were typed on


@dataclass(frozen=True, slots=True)
class Step:
    """A command as it is typed, and what the page says that it shows."""

    typed: str
    shown: str


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where commands are typed: a folder, variables, and whoever hears what is shown, as it comes."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    hear: Callable[[bytes], object] = lambda _: None
    exports: list[str] = field(default_factory=list)

    def type(self, command: str) -> tuple[str, int]:
        """Run a command, and return what the terminal shows and the exit status."""
        if command.startswith(EXPORT):
            self.exports.append(command)
        lines = "\n".join([*(each for each in self.exports if each != command), command])
        ours, theirs = pty.openpty()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(self.folder), "TERM": "dumb", "LANG": "C.UTF-8", **self.env}
        shell = ["bash", "-c", lines]
        with subprocess.Popen(shell, cwd=self.folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as running:
            os.close(theirs)
            printed = bytearray()
            while chunk := _read(ours):
                printed += chunk
                self.hear(chunk)
        os.close(ours)
        return printed.decode().replace("\r\n", "\n"), running.returncode


def blocks(text: str) -> list[str]:
    """Return the `console` blocks of a page."""
    return BLOCK.findall(text)


def steps(sessions: list[str]) -> Iterator[Step]:
    """Cut sessions into what is typed and what it prints; output may begin with `  $ `, commands never do."""
    for step in re.split(r"^\$ ", "\n".join(sessions), flags=re.MULTILINE)[1:]:
        first, *others = step.splitlines()
        typed = [first, *(line[2:] for line in others if line.startswith("> "))]
        yield Step("\n".join(typed), "\n".join(line for line in others if not line.startswith("> ")))


def essence(text: str) -> Counter[str]:
    """Reduce output to what does not change from run to run; workers finish items in any order."""
    for pattern, plain in (
        (r"[\w.-]+-[0-9a-f]{8}\b", "NAME"),
        (rf"\bon {re.escape(socket.gethostname())}\b", f"on {MACHINE}"),
        (r"\d+([.:-]\d+)*", "0"),
        (r"\b0m0s\b|\b0 ms\b", "0s"),
        (r"\b0 s\b", "0s"),
        (r"[─━]+", "-"),
        (r"█+", "#"),
        (r"\s*\n\s*", "\n"),
        (r"[ \t]+", " "),
    ):
        text = re.sub(pattern, plain, text)
    return Counter(text.strip().splitlines())


def play(page: Path, terminal: Terminal, say: Callable[[str], object]) -> tuple[str, int]:
    """Type the sessions of a page; return the page with what was shown now, and the last command's exit status."""
    status = 0

    def type_block(block: re.Match[str]) -> str:
        nonlocal status
        lines = []
        for step in steps([block[1]]):
            first, *others = step.typed.splitlines()
            command = "\n".join([f"$ {first}", *(f"> {line}" for line in others)])
            say(f"\n{command}\n")
            shown, status = terminal.type(step.typed)
            lines += [command, *(line.rstrip() for line in shown.splitlines())]
        return "\n".join(["```console", *lines, "```"])

    return BLOCK.sub(type_block, page.read_text()), status


def main() -> int:
    """Play a page, and exit as its last command did."""
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])

    def show(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()

    played, status = play(page, Terminal(folder.resolve(), hear=show), lambda text: show(text.encode()))
    if "--write" in sys.argv[3:]:
        page.write_text(played)
    return status


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says EIO when the last process has closed the terminal
        return b""


if __name__ == "__main__":
    sys.exit(main())
