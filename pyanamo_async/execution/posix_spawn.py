"""Call `posix_spawn` of the C library without Python's global lock (GIL).

`os.posix_spawn` holds the lock until the new process has called `exec` (vfork). Whichever thread calls it, the whole
worker is blocked meanwhile: for milliseconds on a busy machine, for ever if the shell is on a dead mount. Here all is
prepared first, so that the call itself needs nothing from Python. Source: posix_spawn(3).
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache

Text = str | bytes

RESTORED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them; scripts expect `yes | head` to end
SETSIGDEF, SETSID = 0x04, 0x80  # of spawn.h, the same in glibc and musl
OPAQUE_BYTES = 512  # more than any of the library's three structures has (336)

_blocking = ctypes.CDLL(None)
_library = ctypes.PyDLL(None)  # keeps Python's lock: releasing it costs more than these calls


class PreparedSpawn:
    """A process that is ready to be started, in any thread.

    Its stdin is empty, and other descriptors are inherited unless they are close-on-exec. It gets a session and a
    process group of its own. It starts in `folder` if one is given, which works only if `can_change_folder()`.
    """

    __slots__ = ("_arguments", "_environment", "_folder", "_path")

    def __init__(self, args: Sequence[Text], *, path: Text, env: Mapping[str, str], folder: Text | None = None) -> None:
        """Encode everything; raises `ValueError` for a NUL byte, and for an invalid name in `env`."""
        self._folder = None if folder is None else _encoded(folder)
        self._path = _encoded(path)
        self._arguments = _array(map(_encoded, args))
        self._environment = _array(map(_entry, env.keys(), env.values()))

    def spawn(self, outputs: Sequence[int]) -> int:
        """Start the process with these descriptors, all above 2, as stdout and stderr; return its id.

        Raises:
            OSError: it could not be started, for the reasons of fork and exec; nothing is left of it.
        """
        pid = ctypes.c_int()
        with _file_actions(outputs, self._folder) as actions:
            error = _blocking.posix_spawn(
                ctypes.byref(pid), self._path, actions, _attributes(), self._arguments, self._environment
            )
        if error:
            raise OSError(error, os.strerror(error), os.fsdecode(self._path))
        return pid.value


def can_change_folder() -> bool:
    """Return whether the library can start a process in another folder: glibc since 2.29, musl since 1.1.24."""
    return _change_folder() is not None


@cache
def _change_folder() -> Callable[..., int] | None:
    try:
        return _library.posix_spawn_file_actions_addchdir_np
    except AttributeError:
        return None


@contextmanager
def _file_actions(outputs: Sequence[int], folder: bytes | None) -> Iterator[ctypes.Array[ctypes.c_char]]:
    actions = ctypes.create_string_buffer(OPAQUE_BYTES)
    _check(_library.posix_spawn_file_actions_init(actions))
    try:
        _check(_library.posix_spawn_file_actions_addopen(actions, 0, os.devnull.encode(), os.O_RDONLY, 0))
        for number, output in enumerate(outputs, start=1):
            _check(_library.posix_spawn_file_actions_adddup2(actions, output, number))
        if folder is not None and (change_folder := _change_folder()) is not None:
            _check(change_folder(actions, folder))
        yield actions
    finally:
        _library.posix_spawn_file_actions_destroy(actions)


@cache
def _attributes() -> ctypes.Array[ctypes.c_char]:
    attributes, signals = ctypes.create_string_buffer(OPAQUE_BYTES), ctypes.create_string_buffer(OPAQUE_BYTES)
    _check(_library.posix_spawnattr_init(attributes))
    _check(_library.posix_spawnattr_setflags(attributes, ctypes.c_short(SETSIGDEF | SETSID)))
    _check(_library.sigemptyset(signals))
    for number in RESTORED_SIGNALS:
        _check(_library.sigaddset(signals, number))
    _check(_library.posix_spawnattr_setsigdefault(attributes, signals))
    return attributes


def _check(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))


def _array(texts: Iterator[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    items = [*texts, None]
    return (ctypes.c_char_p * len(items))(*items)


def _encoded(text: Text) -> bytes:
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return encoded


@lru_cache(maxsize=1024)  # most of an environment is the same for all scripts
def _entry(name: str, value: str) -> bytes:
    if not name or "=" in name:
        raise ValueError("illegal environment variable name")
    return _encoded(f"{name}={value}")
