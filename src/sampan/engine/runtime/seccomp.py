"""The default seccomp profile as the OCI runtime wants it, from our own list of rules.

The list is `seccomp_default.txt` beside this module; its head tells the format. Source of the
result's form: the OCI runtime specification 1.1, config-linux, "Seccomp". Pure but for the one
reading of that file and the compiling for this machine.
"""

import errno
import functools
import platform
from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec

from sampan.host.seccomp import compile_profile

_ALLOW = "SCMP_ACT_ALLOW"
_FAIL = "SCMP_ACT_ERRNO"
_OPERATORS = {"==": "SCMP_CMP_EQ", "!=": "SCMP_CMP_NE"}
_ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


class InvalidRule(ValueError):
    """A line of the list has none of the forms that its head describes."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list."""

    names: tuple[str, ...]
    missing: bool = False
    argument: dict[str, Any] | None = None
    needs: str = ""
    unless: str = ""


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rules of a list. Raises InvalidRule with the line."""
    return tuple(
        _rule(line) for raw in text.splitlines() if (line := raw.partition("#")[0].strip())
    )


def seccomp_profile(
    rules: tuple[Rule, ...], capabilities: frozenset[str], machine: str
) -> dict[str, Any]:
    """The `linux.seccomp` member for a container with these capabilities."""
    return {
        "defaultAction": _FAIL,
        "defaultErrnoRet": errno.EPERM,
        "architectures": list(_ARCHITECTURES.get(machine, ())),
        "syscalls": list(_entries(rules, capabilities)),
    }


@functools.lru_cache(maxsize=64)
def default_profile(capabilities: frozenset[str]) -> dict[str, Any]:
    """The default profile on this machine; shared, so never to be changed."""
    return seccomp_profile(_default_rules(), capabilities, platform.machine())


@functools.lru_cache(maxsize=64)
def default_program(capabilities: frozenset[str]) -> bytes | None:
    """The default profile compiled for this machine; None where that can't be done here."""
    return compile_profile(default_profile(capabilities))


@functools.cache
def _default_rules() -> tuple[Rule, ...]:
    return parse_rules(resources.files(__package__).joinpath("seccomp_default.txt").read_text())


def _entries(rules: tuple[Rule, ...], capabilities: frozenset[str]) -> Iterator[dict[str, Any]]:
    plain: set[str] = set()
    for rule in rules:
        if (rule.needs and rule.needs not in capabilities) or rule.unless in capabilities:
            continue
        if rule.missing:
            yield {"names": list(rule.names), "action": _FAIL, "errnoRet": errno.ENOSYS}
        elif rule.argument is not None:
            yield {"names": list(rule.names), "action": _ALLOW, "args": [rule.argument]}
        else:
            plain.update(rule.names)
    yield {"names": sorted(plain), "action": _ALLOW}


def _rule(line: str) -> Rule:
    verb, *words = line.split()
    unless = needs = ""
    if len(words) > 2 and words[-2] in ("if", "unless"):
        needs = words[-1] if words[-2] == "if" else ""
        unless = words[-1] if words[-2] == "unless" else ""
        words = words[:-2]
    if verb == "missing":
        return Rule(names=tuple(words), missing=True, needs=needs, unless=unless)
    if verb != "allow" or not words:
        raise InvalidRule(line)
    match words:
        case [name, "argument", index, operator, value] if operator in _OPERATORS:
            comparison = {
                "index": int(index),
                "value": int(value, 0),
                "op": _OPERATORS[operator],
            }
            return Rule(names=(name,), argument=comparison, needs=needs, unless=unless)
        case [name, "masked", index, mask, value]:
            comparison = {
                "index": int(index),
                "value": int(mask, 0),
                "valueTwo": int(value, 0),
                "op": "SCMP_CMP_MASKED_EQ",
            }
            return Rule(names=(name,), argument=comparison, needs=needs, unless=unless)
    return Rule(names=tuple(words), needs=needs, unless=unless)
