"""`posix_spawn` of the C library, without Python's lock.

`os.posix_spawn` holds the lock while the kernel makes the process (vfork: until its exec), so that whoever calls it, in
whichever thread, lets the whole worker stand still: for milliseconds where all processors are busy. Here all is laid
ready first, and what is left is one call that needs nothing of Python. Source: posix_spawn(3).
"""

from __future__ import annotations

import ctypes
import os
import signal
from array import array
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate, starmap

Argument = str | bytes

RESTORED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them; scripts expect `yes | head` to end
SETSIGDEF, SETSID = 0x04, 0x80  # of spawn.h, the same in glibc and musl
OPAQUE_BYTES = 512  # more than any of the library's three structures has (336)
POINTER = "L"  # an unsigned long, which is as wide on Linux
ENTRIES_KEPT = 16_384  # of environments, encoded: most of each is the one before, and 2 MiB hold no more

_slow = ctypes.CDLL(None)
_quick = ctypes.PyDLL(None)  # keeps the lock: letting go of it costs more than these calls


class Start:
    """A process laid ready to be started once, by `now`, in any thread."""

    __slots__ = ("_actions", "_arguments", "_attributes", "_environment", "_path", "_pid", "is_leader")

    def __init__(
        self,
        args: Sequence[Argument],
        *,
        path: Argument,
        stdout: int,
        stderr: int,
        env: Mapping[str, str],
        is_leader: bool,
    ) -> None:
        """Lay it ready: stdin empty, both outputs to descriptors above 2, and with `is_leader` a session of its own.

        Raises:
            ValueError: there is a NUL where the system takes none, or a name in `env` that is none.
        """
        self.is_leader = is_leader
        self._path = _text(path)
        self._arguments = _Texts([*map(_text, args)])
        self._environment = _Texts([*starmap(_entry, env.items())])
        self._attributes = _attributes(is_leader)
        self._actions = _actions(stdout, stderr)
        self._pid = ctypes.c_int()

    def now(self) -> int:
        """Start it; returns its process id.

        Raises:
            OSError: it could not be started, for the reasons of fork and exec; nothing is left of it.
        """
        error = _slow.posix_spawn(
            ctypes.byref(self._pid),
            self._path,
            self._actions,
            self._attributes,
            self._arguments.address,
            self._environment.address,
        )
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self._path[:-1]))
        return self._pid.value

    def __del__(self) -> None:
        """Free what the library keeps of it."""
        if hasattr(self, "_actions"):
            _quick.posix_spawn_file_actions_destroy(self._actions)


def _actions(stdout: int, stderr: int) -> ctypes.Array[ctypes.c_char]:
    actions = ctypes.create_string_buffer(OPAQUE_BYTES)
    _succeed(_quick.posix_spawn_file_actions_init(actions))
    _succeed(_quick.posix_spawn_file_actions_addopen(actions, 0, os.devnull.encode(), os.O_RDONLY, 0))
    _succeed(_quick.posix_spawn_file_actions_adddup2(actions, stdout, 1))
    _succeed(_quick.posix_spawn_file_actions_adddup2(actions, stderr, 2))
    return actions


@cache
def _attributes(is_leader: bool) -> ctypes.Array[ctypes.c_char]:
    attributes, signals = ctypes.create_string_buffer(OPAQUE_BYTES), ctypes.create_string_buffer(OPAQUE_BYTES)
    _succeed(_quick.posix_spawnattr_init(attributes))
    _succeed(_quick.posix_spawnattr_setflags(attributes, ctypes.c_short(SETSIGDEF | (SETSID if is_leader else 0))))
    _succeed(_quick.sigemptyset(signals))
    for number in RESTORED_SIGNALS:
        _succeed(_quick.sigaddset(signals, number))
    _succeed(_quick.posix_spawnattr_setsigdefault(attributes, signals))
    return attributes


def _succeed(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))


class _Texts:
    """A `char *const []` in one piece of memory: an array of ctypes would keep each of a hundred texts by itself."""

    __slots__ = ("_block", "_pointers", "address")

    def __init__(self, texts: list[bytes]) -> None:
        self._block = bytearray().join(texts)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(self._block)) if texts else 0
        self._pointers = array(POINTER, accumulate(map(len, texts), initial=begin))
        self._pointers[-1] = 0  # where another would begin
        self.address = ctypes.c_void_p(self._pointers.buffer_info()[0])


def _text(text: Argument) -> bytes:
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded + b"\0"


@lru_cache(ENTRIES_KEPT)
def _entry(name: str, value: str) -> bytes:
    if not name or "=" in name:
        raise ValueError("illegal environment variable name")
    return _text(f"{name}={value}")
