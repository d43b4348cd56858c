"""Programs that use memory in known ways, say when they do, and go on when they are let."""

from __future__ import annotations

MIB = 1 << 20
BEGIN = """
import mmap, os, sys, time, subprocess
MIB = 1 << 20
def take(mib):
    return bytearray(b"x") * (mib * MIB)
def say_ready():
    print("ready", flush=True)
def wait():
    while not os.path.exists(GO):
        time.sleep(0.02)
def fork(work):
    if not (pid := os.fork()):
        work()
        os._exit(0)
    return pid
"""
IDLE = "say_ready(); wait()"
ONE = "held = take(200); say_ready(); wait()"
TWO_CHILDREN = """
def child():
    held = take(100); say_ready(); wait()
fork(child); fork(child); os.wait(); os.wait()
"""
DEEP = """
if len(sys.argv) > 1:
    depth = int(sys.argv[1])
    held = take(50)
    if depth > 1:
        subprocess.Popen([sys.executable, "-S", sys.argv[0], str(depth - 1)]).wait()
    else:
        say_ready(); wait()
else:
    subprocess.Popen([sys.executable, "-S", sys.argv[0], "4"]).wait()
"""
SPIKE = "held = take(200); time.sleep(0.05); held = None; say_ready(); wait()"
FORKED = """
held = take(200)
def child():
    say_ready(); wait()
for _ in range(3):
    fork(child)
for _ in range(3):
    os.wait()
"""
SHARED = """
held = mmap.mmap(-1, 200 * MIB)
def touch():
    for at in range(0, 200 * MIB, mmap.PAGESIZE):
        held[at]
    say_ready(); wait()
for at in range(0, 200 * MIB, mmap.PAGESIZE):
    held[at] = 1
fork(touch); fork(touch); os.wait(); os.wait()
"""
FILE = """
import tempfile
with tempfile.TemporaryFile() as file:
    for _ in range(200):
        file.write(bytes(MIB))
    file.flush()
    held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for at in range(0, len(held), mmap.PAGESIZE):
        held[at]
    say_ready(); wait()
"""


def program(body: str, go: str) -> str:
    """Return a program that does this, and where it waits, waits for the file `go`."""
    return f"GO = {go!r}\n{BEGIN}{body}"
