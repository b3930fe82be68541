"""The rules of security contexts, of pods and of containers."""

import re
from collections.abc import Iterator

from sampan.kubernetes.kinds.core.paths import check_local_path
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import duplicate, invalid, required, unsupported

_MAXIMUM_IDENTIFIER = 2**31 - 1
_IDENTIFIERS = ("runAsUser", "runAsGroup", "fsGroup")
_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_PROFILES = (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor"))
_GROUP_POLICIES = ("OnRootMismatch", "Always")
_SYSCTL_PART = "[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?"
_SYSCTL = re.compile(rf"({_SYSCTL_PART}[./])*{_SYSCTL_PART}")
_MAXIMUM_SYSCTL = 253


def check_pod_security(spec: Object, field: str) -> Iterator[Cause]:
    """The security context of a pod's spec, and those of its containers."""
    context = spec.get("securityContext") or {}
    yield from _check_identity(context, f"{field}.securityContext")
    yield from _check_sysctls(context.get("sysctls") or [], f"{field}.securityContext.sysctls")
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in _GROUP_POLICIES:
        path = f"{field}.securityContext.fsGroupChangePolicy"
        yield unsupported(path, policy, _GROUP_POLICIES)
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(name) or ()):
            path = f"{field}.{name}[{index}].securityContext"
            yield from _check_container(container.get("securityContext") or {}, path)


def _check_container(context: Object, field: str) -> Iterator[Cause]:
    yield from _check_identity(context, field)
    if context.get("allowPrivilegeEscalation") is False:
        added = (context.get("capabilities") or {}).get("add") or ()
        for wrong, shown in (
            (bool(context.get("privileged")), "`privileged` to true"),
            ("SYS_ADMIN" in added or "CAP_SYS_ADMIN" in added, "`capabilities.Add` CAP_SYS_ADMIN"),
        ):
            if wrong:
                detail = f"cannot set `allowPrivilegeEscalation` to false and {shown}"
                yield invalid(field, context, detail)


def _check_identity(context: Object, field: str) -> Iterator[Cause]:
    for name in _IDENTIFIERS:
        value = context.get(name)
        if value is not None and not 0 <= value <= _MAXIMUM_IDENTIFIER:
            detail = f"must be between 0 and {_MAXIMUM_IDENTIFIER}, inclusive"
            yield invalid(f"{field}.{name}", value, detail)
    for name, shown in _PROFILES:
        if name in context:
            yield from _check_profile(context[name], f"{field}.{name}", shown)


def _check_profile(profile: Object, field: str, shown: str) -> Iterator[Cause]:
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    if kind not in _PROFILE_TYPES:
        yield unsupported(f"{field}.type", kind, _PROFILE_TYPES)
    elif kind == "Localhost" and not local:
        yield required(f"{field}.localhostProfile", f"must be set when {shown} type is Localhost")
    elif kind != "Localhost" and local is not None:
        detail = f"can only be set when {shown} type is Localhost"
        yield invalid(f"{field}.localhostProfile", local, detail)
    else:
        yield from check_local_path(local or "", f"{field}.localhostProfile")


def _check_sysctls(sysctls: list[Object], field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name = sysctl.get("name", "")
        path = f"{field}[{index}].name"
        if not name:
            yield required(path)
        elif len(name) > _MAXIMUM_SYSCTL or not _SYSCTL.fullmatch(name):
            detail = f"must have at most {_MAXIMUM_SYSCTL} characters and match regex "
            yield invalid(path, name, f"{detail}^{_SYSCTL.pattern}$")
        elif name.replace("/", ".") in seen:
            yield duplicate(path, name)
        seen.add(name.replace("/", "."))
