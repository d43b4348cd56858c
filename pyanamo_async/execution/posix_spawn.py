"""`posix_spawn` of the C library, called without Python's lock.

`os.posix_spawn` holds the lock until the new process has called `exec` (vfork), so the whole worker stands still
meanwhile, whichever thread calls it: for milliseconds on a busy machine, for ever when the shell is on a dead mount.
Here everything is prepared first, and what is left is one call that needs nothing of Python. Source: posix_spawn(3).
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import F_DUPFD_CLOEXEC, fcntl
from functools import cache, lru_cache
from itertools import starmap

Text = str | bytes

RESTORED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them; scripts expect `yes | head` to end
SETSIGDEF, SETSID = 0x04, 0x80  # of spawn.h, the same in glibc and musl
OPAQUE_BYTES = 512  # more than any of the library's three structures has (336)
FIRST_DESCRIPTOR = 3  # behind the standard streams
CACHED_ENTRIES = 16_384  # of environments, encoded: successive scripts share most of theirs

_blocking = ctypes.CDLL(None)
_library = ctypes.PyDLL(None)  # keeps Python's lock: releasing it costs more than these calls

CAN_CHANGE_FOLDER = hasattr(_library, "posix_spawn_file_actions_addchdir_np")  # glibc 2.29, musl 1.1.24


class PreparedSpawn:
    """A process that is ready to be started, once, in any thread.

    Its stdin is empty, its outputs are two descriptors of the caller's, and other descriptors are inherited unless they
    are close-on-exec. With `leads_group` it gets a session and a process group of its own.
    """

    __slots__ = ("_arguments", "_attributes", "_copies", "_cwd", "_environment", "_outputs", "_path", "leads_group")

    def __init__(
        self,
        args: Sequence[Text],
        *,
        path: Text,
        outputs: tuple[int, int],
        env: Mapping[str, str],
        cwd: str | os.PathLike[str] | None = None,
        leads_group: bool = False,
    ) -> None:
        """Encode everything; raises `ValueError` for a NUL, or for a name in `env` that is not one."""
        self.leads_group = leads_group
        self._path = _encoded(path)
        self._arguments = _array([*map(_encoded, args)])
        self._environment = _array([*starmap(_entry, env.items())])
        self._attributes = _attributes(leads_group)
        self._outputs = outputs
        self._copies: list[int] = []
        self._cwd = None if cwd is None else _encoded(os.fspath(cwd))

    def copy_outputs(self) -> None:
        """Copy both output descriptors, so that the caller may close them whenever it likes; to be followed by `spawn`.

        Raises:
            OSError: no descriptors are left.
        """
        try:
            for output in self._outputs:
                self._copies.append(fcntl(output, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR))
        except OSError:
            self._close_copies()
            raise

    def spawn(self) -> int:
        """Start the process and return its id; the copies of the outputs are closed.

        Raises:
            OSError: it could not be started, for the reasons of fork, chdir and exec; nothing is left of it.
        """
        pid = ctypes.c_int()
        try:
            with _file_actions(self._copies, self._cwd) as actions:
                error = _blocking.posix_spawn(
                    ctypes.byref(pid),
                    self._path,
                    actions,
                    self._attributes,
                    self._arguments,
                    self._environment,
                )
        finally:
            self._close_copies()
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self._path))
        return pid.value

    def _close_copies(self) -> None:
        while self._copies:
            os.close(self._copies.pop())


@contextmanager
def _file_actions(outputs: Sequence[int], cwd: bytes | None) -> Iterator[ctypes.Array[ctypes.c_char]]:
    actions = ctypes.create_string_buffer(OPAQUE_BYTES)
    _check(_library.posix_spawn_file_actions_init(actions))
    try:
        _check(_library.posix_spawn_file_actions_addopen(actions, 0, os.devnull.encode(), os.O_RDONLY, 0))
        for number, output in enumerate(outputs, start=1):
            _check(_library.posix_spawn_file_actions_adddup2(actions, output, number))
        if cwd is not None:
            _check(_library.posix_spawn_file_actions_addchdir_np(actions, cwd))
        yield actions
    finally:
        _library.posix_spawn_file_actions_destroy(actions)


@cache
def _attributes(leads_group: bool) -> ctypes.Array[ctypes.c_char]:
    attributes, signals = ctypes.create_string_buffer(OPAQUE_BYTES), ctypes.create_string_buffer(OPAQUE_BYTES)
    _check(_library.posix_spawnattr_init(attributes))
    _check(_library.posix_spawnattr_setflags(attributes, ctypes.c_short(SETSIGDEF | (SETSID if leads_group else 0))))
    _check(_library.sigemptyset(signals))
    for number in RESTORED_SIGNALS:
        _check(_library.sigaddset(signals, number))
    _check(_library.posix_spawnattr_setsigdefault(attributes, signals))
    return attributes


def _check(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))


def _array(texts: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


def _encoded(text: Text) -> bytes:
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


@lru_cache(CACHED_ENTRIES)
def _entry(name: str, value: str) -> bytes:
    if not name or "=" in name:
        raise ValueError("illegal environment variable name")
    return _encoded(f"{name}={value}")
