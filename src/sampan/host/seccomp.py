"""Compiling a seccomp profile into the program that the kernel runs, by libseccomp.

In: the `linux.seccomp` document of the OCI runtime specification. Out: an array of struct
sock_filter (seccomp(2)). An OCI runtime would compile the same at each start, which takes
longer than all else that it does.
"""

import ctypes
import os
from collections.abc import Mapping
from typing import Any

_LIBRARY = "libseccomp.so.2"
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_ACTIONS = {"SCMP_ACT_ALLOW": _ALLOW, "SCMP_ACT_ERRNO": _ERRNO}
_OPERATORS = {"SCMP_CMP_NE": 1, "SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
_ARCHITECTURES = {
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_ARM": 0x40000028,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
}
_EEXIST = 17


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def compile_profile(profile: Mapping[str, Any]) -> bytes | None:
    """The filter program; None on a host without libseccomp. Raises OSError."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    default = _ACTIONS[profile["defaultAction"]] | profile.get("defaultErrnoRet", 0)
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
    if not context:
        raise OSError("libseccomp could not make a filter")
    try:
        for name in profile["architectures"]:
            # The machine's own is there from the beginning.
            _check(library.seccomp_arch_add(context, _ARCHITECTURES[name]), allowed=_EEXIST)
        for entry in profile["syscalls"]:
            _add(library, context, entry)
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _add(library: Any, context: ctypes.c_void_p, entry: Mapping[str, Any]) -> None:
    action = ctypes.c_uint32(_ACTIONS[entry["action"]] | entry.get("errnoRet", 0))
    arguments = [
        _Comparison(
            argument["index"],
            _OPERATORS[argument["op"]],
            argument["value"],
            argument.get("valueTwo", 0),
        )
        for argument in entry.get("args", ())
    ]
    array = (_Comparison * len(arguments))(*arguments)
    for name in entry["names"]:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number != -1:
            _check(library.seccomp_rule_add_array(context, action, number, len(arguments), array))


def _exported(library: Any, context: ctypes.c_void_p) -> bytes:
    descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        _check(library.seccomp_export_bpf(context, descriptor))
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)


def _check(result: int, *, allowed: int = 0) -> None:
    if result < 0 and -result != allowed:
        raise OSError(-result, f"libseccomp: {os.strerror(-result)}")
