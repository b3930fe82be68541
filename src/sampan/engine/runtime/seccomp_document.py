"""Seccomp profiles that users write, turned into what the OCI runtime wants.

Two forms are known: Docker's (`archMap`, `includes`, `excludes`, `minKernel`) and that of the
OCI runtime specification 1.1 (config-linux, "Seccomp"). Pure. Sources: that specification and
the fields of Docker's profile format as its documentation lists them.
"""

from typing import Any

import msgspec

from sampan.engine.contract import InvalidConfiguration

_ACTIONS = frozenset(
    f"SCMP_ACT_{name}"
    for name in ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG"]
)
_OPERATORS = frozenset(
    f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_LIMIT = 1 << 20


class _Conditions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    min_kernel: str = ""


class _Argument(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    index: int
    value: int
    value_two: int = 0
    op: str


class _Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    names: tuple[str, ...] = ()
    name: str = ""
    action: str
    errno_ret: int | None = None
    args: tuple[_Argument, ...] | None = None
    includes: _Conditions | None = None
    excludes: _Conditions | None = None


class _ArchitectureMap(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    architecture: str
    sub_architectures: tuple[str, ...] | None = None


class _Profile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    default_action: str
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] | None = None
    arch_map: tuple[_ArchitectureMap, ...] | None = None
    flags: tuple[str, ...] | None = None
    syscalls: tuple[_Rule, ...] | None = None


class SeccompHost(msgspec.Struct, frozen=True):
    """What rules may depend on: the machine (`x86_64`) and its kernel's release."""

    machine: str
    kernel_release: str


def seccomp_document(text: str, capabilities: frozenset[str], host: SeccompHost) -> dict[str, Any]:
    """The `linux.seccomp` member of a profile given as JSON. Raises InvalidConfiguration."""
    if len(text) > _LIMIT:
        raise InvalidConfiguration("the seccomp profile is too large")
    try:
        profile = msgspec.json.decode(text, type=_Profile)
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"Decoding seccomp profile failed: {error}") from error
    if profile.architectures and profile.arch_map:
        raise InvalidConfiguration(
            "both 'architectures' and 'archMap' are specified in the seccomp profile"
        )
    _check_action(profile.default_action)
    document: dict[str, Any] = {
        "defaultAction": profile.default_action,
        "architectures": _architectures(profile, host.machine),
        "syscalls": [
            _entry(rule) for rule in profile.syscalls or () if _applies(rule, capabilities, host)
        ],
    }
    if profile.default_errno_ret is not None:
        document["defaultErrnoRet"] = profile.default_errno_ret
    if profile.flags:
        document["flags"] = list(profile.flags)
    return document


def _architectures(profile: _Profile, machine: str) -> list[str]:
    if not profile.arch_map:
        return list(profile.architectures or ())
    native = _NATIVE.get(machine, "")
    for entry in profile.arch_map:
        if entry.architecture == native:
            return [entry.architecture, *(entry.sub_architectures or ())]
    return []


def _applies(rule: _Rule, capabilities: frozenset[str], host: SeccompHost) -> bool:
    machine = _MACHINES.get(host.machine, host.machine)
    needed, unwanted = rule.includes, rule.excludes
    if needed is not None and not (
        (not needed.arches or machine in needed.arches)
        and capabilities.issuperset(needed.caps)
        and _at_least(host.kernel_release, needed.min_kernel)
    ):
        return False
    return unwanted is None or not (
        machine in unwanted.arches
        or capabilities.intersection(unwanted.caps)
        or (unwanted.min_kernel and _at_least(host.kernel_release, unwanted.min_kernel))
    )


def _entry(rule: _Rule) -> dict[str, Any]:
    names = (rule.name,) if rule.name else rule.names
    if bool(rule.name) == bool(rule.names):
        raise InvalidConfiguration("a rule of the seccomp profile must have 'name' or 'names'")
    _check_action(rule.action)
    entry: dict[str, Any] = {"names": list(names), "action": rule.action}
    if rule.errno_ret is not None:
        entry["errnoRet"] = rule.errno_ret
    for argument in rule.args or ():
        if argument.op not in _OPERATORS:
            raise InvalidConfiguration(f"seccomp operator {argument.op!r} is not known")
    if rule.args:
        entry["args"] = list(msgspec.to_builtins(rule.args))
    return entry


def _check_action(action: str) -> None:
    if action not in _ACTIONS:
        raise InvalidConfiguration(f"seccomp action {action!r} is not known")


def _at_least(release: str, wanted: str) -> bool:
    """Whether a kernel's release (`6.1.0-9-amd64`) is at least `4.8`. "" is always reached."""
    if not wanted:
        return True
    try:
        least = tuple(int(part) for part in wanted.split("."))
    except ValueError as error:
        raise InvalidConfiguration(f"{wanted!r} is not a kernel version") from error
    parts = release.split("-", 1)[0].split(".")
    return tuple(int(part) for part in parts if part.isdecimal())[: len(least)] >= least
