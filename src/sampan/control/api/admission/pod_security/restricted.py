"""The controls that the restricted standard adds: the practice of hardened pods. Pure.

Each control gives the text of its violation, or nothing ("Pod Security Standards", Restricted).
"""

from sampan.control.api.admission.pod_security import baseline
from sampan.control.api.admission.pod_security.baseline import Control
from sampan.control.api.admission.pod_security.pod_facts import (
    PodFacts,
    named,
    owners,
    quoted_set,
)

_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
_SECCOMP = ("RuntimeDefault", "Localhost")


def volume_types(pod: PodFacts) -> str:
    bad, types = [], set()
    for volume in pod.spec.get("volumes") or ():
        used = {key for key in volume if key != "name"} - _VOLUMES
        if used:
            bad.append(volume["name"])
            types |= used
    if not bad:
        return ""
    verb = "use" if len(bad) > 1 else "uses"
    plural = "s" if len(types) > 1 else ""
    what = f"{named(bad, 'volume')} {verb} restricted volume type{plural} {quoted_set(types)}"
    return f"restricted volume types ({what})"


def privilege_escalation(pod: PodFacts) -> str:
    if pod.is_windows:
        return ""
    bad = pod.containers_where(lambda it: it.get("allowPrivilegeEscalation") is not False)
    if not bad:
        return ""
    what = "must set securityContext.allowPrivilegeEscalation=false"
    return f"allowPrivilegeEscalation != false ({named(bad)} {what})"


def capabilities(pod: PodFacts) -> str:
    if pod.is_windows:
        return ""
    undropped, adding, added = [], [], set()
    for container in pod.containers:
        given = (container.get("securityContext") or {}).get("capabilities") or {}
        if "ALL" not in (given.get("drop") or ()):
            undropped.append(container["name"])
        extra = set(given.get("add") or ()) - {"NET_BIND_SERVICE"}
        if extra:
            adding.append(container["name"])
            added |= extra
    parts = []
    if undropped:
        parts.append(f'{named(undropped)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        what = f"must not include {quoted_set(added)} in securityContext.capabilities.add"
        parts.append(f"{named(adding)} {what}")
    return f"unrestricted capabilities ({'; '.join(parts)})" if parts else ""


def non_root(pod: PodFacts) -> str:
    if pod.has_own_users:
        return ""
    pod_says = pod.security.get("runAsNonRoot")
    refusing = ["pod"] if pod_says is False else []
    refusing += pod.containers_where(lambda it: it.get("runAsNonRoot") is False)
    if refusing:
        what = "must not set securityContext.runAsNonRoot=false"
        return f"runAsNonRoot != true ({owners(refusing)} {what})"
    silent = pod.containers_where(lambda it: it.get("runAsNonRoot") is not True)
    if pod_says is True or not silent:
        return ""
    what = f"pod or {named(silent)} must set securityContext.runAsNonRoot=true"
    return f"runAsNonRoot != true ({what})"


def user(pod: PodFacts) -> str:
    if pod.has_own_users:
        return ""
    bad = [owner for owner, number in pod.values("runAsUser") if number == 0]
    return f"runAsUser=0 ({owners(bad)} must not set runAsUser=0)" if bad else ""


def seccomp(pod: PodFacts) -> str:
    if pod.is_windows:
        return ""
    pod_says = (pod.security.get("seccompProfile") or {}).get("type")
    bad = ["pod"] if pod_says not in (None, *_SECCOMP) else []
    silent = []
    for container in pod.containers:
        context = container.get("securityContext") or {}
        given = (context.get("seccompProfile") or {}).get("type")
        if given is None:
            silent.append(container["name"])
        elif given not in _SECCOMP:
            bad.append(container["name"])
    if bad:
        what = 'must not set securityContext.seccompProfile.type to "Unconfined"'
        return f"seccompProfile ({owners(bad)} {what})"
    if pod_says is not None or not silent:
        return ""
    what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return f"seccompProfile (pod or {named(silent)} {what})"


def controls(minor: int) -> tuple[Control, ...]:
    """All controls of the standard at a version: those of the baseline and its own, which take
    the place of the baseline's weaker ones."""
    replaced = {baseline.capabilities, baseline.seccomp}
    added: list[Control] = [privilege_escalation, non_root, seccomp, volume_types]
    if minor >= 22:
        added.append(capabilities)
    if minor >= 23:
        added.append(user)
    kept = [it for it in baseline.controls(minor) if it not in replaced]
    return (*kept, *sorted(added, key=_order))


_ORDER = (
    privilege_escalation,
    capabilities,
    volume_types,
    non_root,
    user,
    seccomp,
)


def _order(control: Control) -> int:
    return _ORDER.index(control)
