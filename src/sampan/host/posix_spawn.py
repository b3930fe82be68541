"""posix_spawn(3) without holding the interpreter: it lasts until the child has become its program,
which takes many milliseconds on a busy machine.

Python's own `os.posix_spawn` keeps the interpreter's lock for that time, and can't set the
child's folder. What is started, and why, is not known here.
"""

import ctypes
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec

# From glibc's spawn.h; musl has the same values.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
# More than what either C library keeps in these opaque structures.
_OPAQUE_SIZE = 1024
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None)


class SpawnPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`descriptors` maps the child's numbers to ours; 0, 1 and 2 that are left out are /dev/null.

    No number of the child's above 2 may be one of ours that is still to be copied.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    descriptors: dict[int, int]
    new_session: bool = False
    folder: Path | None = None


def posix_spawn(plan: SpawnPlan) -> int:
    """Start `command[0]`, a path; the child's process number. Blocks until it has been executed.

    Raises OSError.
    """
    actions, attributes = (ctypes.create_string_buffer(_OPAQUE_SIZE) for _ in range(2))
    process = ctypes.c_int()
    _check(_libc.posix_spawn_file_actions_init(actions))
    _check(_libc.posix_spawnattr_init(attributes))
    try:
        _add_actions(actions, plan)
        _set_attributes(attributes, plan)
        environment = [f"{name}={value}" for name, value in plan.environment.items()]
        _check(
            _libc.posix_spawn(
                ctypes.byref(process),
                os.fsencode(plan.command[0]),
                actions,
                attributes,
                _strings(plan.command),
                _strings(environment),
            ),
            plan.command[0],
        )
    finally:
        _libc.posix_spawnattr_destroy(attributes)
        _libc.posix_spawn_file_actions_destroy(actions)
    return process.value


def _add_actions(actions: "ctypes.Array[ctypes.c_char]", plan: SpawnPlan) -> None:
    for number in (0, 1, 2):
        if number not in plan.descriptors:
            flags = os.O_WRONLY if number else os.O_RDONLY
            null = os.devnull.encode()
            _check(_libc.posix_spawn_file_actions_addopen(actions, number, null, flags, 0))
    for number, descriptor in plan.descriptors.items():
        _check(_libc.posix_spawn_file_actions_adddup2(actions, descriptor, number))
    if plan.folder is not None:
        folder = os.fsencode(plan.folder)
        _check(_libc.posix_spawn_file_actions_addchdir_np(actions, folder))


def _set_attributes(attributes: "ctypes.Array[ctypes.c_char]", plan: SpawnPlan) -> None:
    flags = _SETSIGDEF | _SETSIGMASK | (_SETSID if plan.new_session else 0)
    nothing, defaults = (ctypes.create_string_buffer(_OPAQUE_SIZE) for _ in range(2))
    _libc.sigemptyset(nothing)
    _libc.sigemptyset(defaults)
    for number in _DEFAULT_SIGNALS:
        _libc.sigaddset(defaults, int(number))
    _check(_libc.posix_spawnattr_setsigmask(attributes, nothing))
    _check(_libc.posix_spawnattr_setsigdefault(attributes, defaults))
    _check(_libc.posix_spawnattr_setflags(attributes, ctypes.c_short(flags)))


def _strings(words: Sequence[str]) -> "ctypes.Array[ctypes.c_char_p]":
    encoded = [os.fsencode(word) for word in words]
    if any(b"\0" in word for word in encoded):
        raise ValueError("an argument or variable of a program holds a null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def _check(number: int, path: str = "") -> None:
    if number != 0:
        raise OSError(number, os.strerror(number), path or None)
