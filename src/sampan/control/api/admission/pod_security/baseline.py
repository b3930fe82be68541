"""The controls of the baseline standard: what is known to raise privileges is refused. Pure.

Each control gives the text of its violation, or nothing ("Pod Security Standards", Baseline).
"""

from collections.abc import Callable

from sampan.control.api.admission.pod_security.pod_facts import (
    PodFacts,
    named,
    owners,
    quoted_set,
)
from sampan.kubernetes.kinds.kind import Object

Control = Callable[[PodFacts], str]

_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
_SYSCTLS_SINCE = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
_SELINUX_TYPES_SINCE = {
    "": 0,
    "container_t": 0,
    "container_init_t": 0,
    "container_kvm_t": 0,
    "container_engine_t": 31,
}
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_HANDLERS = ("httpGet", "tcpSocket")


def host_namespaces(pod: PodFacts) -> str:
    used = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(key)]
    return f"host namespaces ({', '.join(f'{key}=true' for key in used)})" if used else ""


def privileged(pod: PodFacts) -> str:
    bad = pod.containers_where(lambda context: context.get("privileged") is True)
    return f"privileged ({named(bad)} must not set securityContext.privileged=true)" if bad else ""


def capabilities(pod: PodFacts) -> str:
    bad, added = [], set()
    for container in pod.containers:
        context = container.get("securityContext") or {}
        given = set((context.get("capabilities") or {}).get("add") or ())
        if given - _CAPABILITIES:
            bad.append(container["name"])
            added |= given - _CAPABILITIES
    if not bad:
        return ""
    what = f"must not include {quoted_set(added)} in securityContext.capabilities.add"
    return f"non-default capabilities ({named(bad)} {what})"


def host_path(pod: PodFacts) -> str:
    bad = [it["name"] for it in pod.spec.get("volumes") or () if it.get("hostPath") is not None]
    return f"hostPath volumes ({named(bad, 'volume')})" if bad else ""


def host_ports(pod: PodFacts) -> str:
    bad, ports = [], set()
    for container in pod.containers:
        used = {it["hostPort"] for it in container.get("ports") or () if it.get("hostPort")}
        if used:
            bad.append(container["name"])
            ports |= used
    if not bad:
        return ""
    plural = "s" if len(ports) > 1 else ""
    listed = ", ".join(str(port) for port in sorted(ports))
    uses = "use" if len(bad) > 1 else "uses"
    return f"hostPort ({named(bad)} {uses} hostPort{plural} {listed})"


def apparmor(pod: PodFacts) -> str:
    profiles = {f'"{value["type"]}"' for _, value in pod.values("appArmorProfile")}
    bad = profiles - {'"RuntimeDefault"', '"Localhost"'}
    for key, value in pod.annotations.items():
        allowed = value in ("", "runtime/default") or value.startswith("localhost/")
        if key.startswith(_APPARMOR_ANNOTATION) and not allowed:
            bad.add(f'{key}="{value}"')
    return f"forbidden AppArmor profile ({', '.join(sorted(bad))})" if bad else ""


def selinux(minor: int) -> Control:
    """The types that are allowed grew with the versions."""

    def control(pod: PodFacts) -> str:
        allowed = {name for name, since in _SELINUX_TYPES_SINCE.items() if since <= minor}
        found, problems = [], []
        for owner, options in pod.values("seLinuxOptions"):
            kind = options.get("type", "")
            parts = [f'type "{kind}"'] if kind not in allowed else []
            parts += ["user may not be set"] if options.get("user") else []
            parts += ["role may not be set"] if options.get("role") else []
            if parts:
                found.append(owner)
                problems += [part for part in parts if part not in problems]
        if not found:
            return ""
        return f"seLinuxOptions ({owners(found)} set forbidden securityContext.seLinuxOptions: " + (
            "; ".join(problems) + ")"
        )

    return control


def proc_mount(pod: PodFacts) -> str:
    if pod.has_own_users:
        return ""
    bad = pod.containers_where(lambda it: it.get("procMount", "Default") != "Default")
    if not bad:
        return ""
    return f'procMount ({named(bad)} must not set securityContext.procMount to "Unmasked")'


def seccomp(pod: PodFacts) -> str:
    bad = [owner for owner, it in pod.values("seccompProfile") if it.get("type") == "Unconfined"]
    if not bad:
        return ""
    what = 'must not set securityContext.seccompProfile.type to "Unconfined"'
    return f"seccompProfile ({owners(bad)} {what})"


def sysctls(minor: int) -> Control:
    """The safe ones grew with the versions."""

    def control(pod: PodFacts) -> str:
        used = {it["name"] for it in pod.security.get("sysctls") or ()}
        bad = {name for name in used if _SYSCTLS_SINCE.get(name, minor + 1) > minor}
        return f"forbidden sysctls ({', '.join(sorted(bad))})" if bad else ""

    return control


def host_process(pod: PodFacts) -> str:
    bad = [
        owner
        for owner, it in pod.values("windowsOptions")
        if isinstance(it, dict) and it.get("hostProcess") is True
    ]
    if not bad:
        return ""
    what = "must not set securityContext.windowsOptions.hostProcess=true"
    return f"hostProcess ({owners(bad)} {what})"


def probe_hosts(pod: PodFacts) -> str:
    """Since 1.34: probes and hooks go to the pod itself, not to a host of somebody's choice."""
    bad = [
        container["name"]
        for container in pod.containers
        if any(
            (handler.get(kind) or {}).get("host")
            for handler in _handlers_of(container)
            for kind in _HANDLERS
        )
    ]
    if not bad:
        return ""
    return (
        f"probe or lifecycle host ({named(bad)} must not set a host in probes or lifecycle hooks)"
    )


def _handlers_of(container: Object) -> list[Object]:
    probes = [container.get(f"{kind}Probe") for kind in ("liveness", "readiness", "startup")]
    lifecycle = container.get("lifecycle") or {}
    return [it for it in (*probes, *lifecycle.values()) if isinstance(it, dict)]


def controls(minor: int) -> tuple[Control, ...]:
    """All controls of the standard at a version."""
    newest = (probe_hosts,) if minor >= 34 else ()
    return (
        apparmor,
        capabilities,
        host_namespaces,
        host_path,
        host_ports,
        *newest,
        privileged,
        proc_mount,
        seccomp,
        selinux(minor),
        sysctls(minor),
        host_process,
    )
