"""From Docker's documents to what the mechanism takes: one pure function.

In: the record of a container and what was made for this run of it (its network's sandbox,
where its volumes are mounted, whose namespaces it shares). Out: the mechanism's configuration.
"""

import re
from typing import Literal

import msgspec

from sampan.engine.configuration import (
    ContainerConfiguration,
    Device,
    DeviceRate,
    Limits,
    Mount,
    ResourceLimit,
)
from sampan.engine.containers.configuration import (
    DeviceRequest,
    HostConfiguration,
    Resources,
    ThrottleDevice,
)
from sampan.engine.containers.mount_plan import PlannedMount
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.contract import InvalidConfiguration

DEFAULT_PIDS = 4096
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CPU_PERIOD = 100_000
_SHARED_MEMORY = 64 << 20
_GPU_DEVICES = "nvidia.com/gpu"


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was made for one run. `sources` are where each mount's files lie, by its target.

    The three files are empty for a container that has its image's. `processes_of` and `ipc_of`
    are identifiers of containers whose namespaces are shared.
    """

    cgroup_parent: str
    log_path: str
    network_namespace: str = ""
    hostname: str = ""
    hosts_path: str = ""
    resolver_path: str = ""
    hostname_path: str = ""
    sources: dict[str, str] = {}
    processes_of: str = ""
    ipc_of: str = ""


class SecurityOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `--security-opt` says."""

    no_new_privileges: bool = False
    seccomp: str = "default"
    apparmor: str = ""
    bare_system_paths: bool = False


def engine_configuration(record: ContainerRecord, facts: RunFacts) -> ContainerConfiguration:
    """Raises InvalidConfiguration."""
    configuration, host = record.configuration, record.host
    security = security_options(host)
    privileged = host.privileged
    bare = security.bare_system_paths or privileged
    return ContainerConfiguration(
        name=record.identifier,
        image=record.image,
        entrypoint=configuration.entrypoint or (),
        command=configuration.command or (),
        environment=environment(record, facts.hostname),
        environment_is_complete=True,
        working_directory=configuration.working_directory,
        user=configuration.user,
        supplemental_groups=tuple(
            int(group) if group.isdecimal() else group for group in host.groups_added or ()
        ),
        hostname="" if host.uts_mode == "host" else facts.hostname,
        domain_name=configuration.domain_name,
        mounts=(*_files(facts), *_mounts(record.mounts, facts.sources)),
        limits=limits(host),
        resource_limits=tuple(
            ResourceLimit(limit.name, limit.soft, limit.hard) for limit in host.ulimits or ()
        ),
        cgroup_parent=facts.cgroup_parent,
        uid_maps=record.owners.users,
        gid_maps=record.owners.groups,
        network_namespace=facts.network_namespace,
        host_process_namespace=host.process_mode == "host",
        share_process_namespace_of=facts.processes_of,
        ipc_mode=_ipc_mode(host),
        share_ipc_namespace_of=facts.ipc_of,
        host_uts_namespace=host.uts_mode == "host",
        host_cgroup_namespace=host.cgroup_namespace_mode == "host",
        shared_memory_size=host.shared_memory_size or _SHARED_MEMORY,
        added_capabilities=host.capabilities_added or (),
        dropped_capabilities=host.capabilities_dropped or (),
        privileged=privileged,
        allow_privilege_escalation=not security.no_new_privileges,
        read_only_root=host.read_only_root,
        seccomp_profile=security.seccomp,
        apparmor_profile=security.apparmor,
        masked_paths=() if bare else host.masked_paths,
        read_only_paths=() if bare else host.read_only_paths,
        sysctls=host.sysctls or {},
        devices=tuple(
            Device(
                source=device.path_on_host,
                target=device.path_in_container,
                permissions=device.cgroup_permissions or "rwm",
            )
            for device in host.devices or ()
        ),
        device_rules=host.device_cgroup_rules or (),
        cdi_devices=tuple(
            name for request in host.device_requests or () for name in cdi_devices(request)
        ),
        out_of_memory_score_adjustment=host.out_of_memory_score_adjustment or None,
        terminal=configuration.terminal,
        keep_stdin_open=configuration.open_stdin,
        # As in Docker, a terminal is never closed by a client that goes.
        stdin_outlives_clients=not configuration.stdin_once or configuration.terminal,
        init=bool(host.init),
        durable=not host.auto_remove,
        log_path=facts.log_path,
        stop_signal=configuration.stop_signal,
        annotations=host.annotations or {},
        labels=configuration.labels or {},
    )


def environment(record: ContainerRecord, hostname: str) -> dict[str, str]:
    """The variables of the first process; an entry without a value takes one away."""
    variables = {"PATH": _DEFAULT_PATH, "HOSTNAME": hostname}
    if record.configuration.terminal:
        variables["TERM"] = "xterm"
    for entry in record.configuration.environment or ():
        name, sign, value = entry.partition("=")
        if sign:
            variables[name] = value
        else:
            variables.pop(name, None)
    return variables


def limits(resources: Resources) -> Limits:
    """Docker's limits in the mechanism's terms."""
    period, quota = resources.cpu_period or _CPU_PERIOD, max(resources.cpu_quota, 0)
    if resources.nano_cpus:
        period, quota = _CPU_PERIOD, resources.nano_cpus * _CPU_PERIOD // 10**9
    swap = resources.memory_swap
    if resources.memory and swap == 0:
        # Docker's default: as much swap as memory.
        swap = 2 * resources.memory
    swappiness = resources.memory_swappiness
    pids = resources.processes_limit
    return Limits(
        cpu_quota=quota,
        cpu_period=period,
        cpu_shares=resources.cpu_shares,
        cpu_realtime_period=resources.cpu_realtime_period,
        cpu_realtime_runtime=resources.cpu_realtime_runtime,
        processors=resources.cpu_set_cpus,
        memory_nodes=resources.cpu_set_memory_nodes,
        memory=resources.memory,
        memory_and_swap=swap,
        memory_reservation=resources.memory_reservation,
        memory_swappiness=-1 if swappiness is None else swappiness,
        out_of_memory_kill_disabled=bool(resources.out_of_memory_kill_disabled),
        pids=0 if pids is not None and pids < 0 else pids or DEFAULT_PIDS,
        io_weight=resources.block_io_weight,
        io_device_weights=tuple(
            DeviceRate(device.path, device.weight)
            for device in resources.block_io_weight_device or ()
        ),
        read_bytes=_rates(resources.block_io_device_read_bytes),
        write_bytes=_rates(resources.block_io_device_write_bytes),
        read_operations=_rates(resources.block_io_device_read_operations),
        write_operations=_rates(resources.block_io_device_write_operations),
    )


def security_options(host: HostConfiguration) -> SecurityOptions:
    """Raises InvalidConfiguration for an option that is not known."""
    found = SecurityOptions()
    for option in host.security_options or ():
        name, value = _name_and_value(option)
        if name == "no-new-privileges" and value in ("", "true", "false"):
            found = msgspec.structs.replace(found, no_new_privileges=value != "false")
        elif name == "seccomp":
            profile = "default" if value == "builtin" else value
            found = msgspec.structs.replace(found, seccomp=profile)
        elif name == "apparmor":
            found = msgspec.structs.replace(found, apparmor=value)
        elif name == "systempaths" and value == "unconfined":
            found = msgspec.structs.replace(found, bare_system_paths=True)
        elif name != "label":
            raise InvalidConfiguration(f'invalid --security-opt 2: "{option[:100]}"')
    if host.privileged:
        found = msgspec.structs.replace(found, seccomp="unconfined")
    return found


def cdi_devices(request: DeviceRequest) -> tuple[str, ...]:
    """The qualified CDI names of a request. Raises InvalidConfiguration for another driver."""
    if request.driver == "cdi":
        return request.device_identifiers or ()
    wanted = {name for names in request.capabilities or () for name in names}
    if request.driver in ("", "nvidia") and "gpu" in wanted:
        if request.device_identifiers:
            return tuple(f"{_GPU_DEVICES}={name}" for name in request.device_identifiers)
        if request.count < 0:
            return (f"{_GPU_DEVICES}=all",)
        return tuple(f"{_GPU_DEVICES}={number}" for number in range(request.count or 1))
    shown = " ".join(f"[{' '.join(names)}]" for names in request.capabilities or ())
    raise InvalidConfiguration(
        f'could not select device driver "{request.driver[:40]}" with capabilities: [{shown}]'
    )


def _name_and_value(option: str) -> tuple[str, str]:
    found = re.match(r"([a-z-]+)[=:]", option)
    return (found[1], option[found.end() :]) if found else (option, "")


def _ipc_mode(host: HostConfiguration) -> Literal["private", "shareable", "host", "none"]:
    if host.ipc_mode == "host":
        return "host"
    if host.ipc_mode == "none":
        return "none"
    return "shareable" if host.ipc_mode == "shareable" else "private"


def _rates(devices: tuple[ThrottleDevice, ...] | None) -> tuple[DeviceRate, ...]:
    return tuple(DeviceRate(device.path, device.rate) for device in devices or ())


def _files(facts: RunFacts) -> tuple[Mount, ...]:
    files = {
        "/etc/resolv.conf": facts.resolver_path,
        "/etc/hostname": facts.hostname_path,
        "/etc/hosts": facts.hosts_path,
    }
    return tuple(Mount(source=path, target=target) for target, path in files.items() if path)


def _mounts(mounts: tuple[PlannedMount, ...], sources: dict[str, str]) -> tuple[Mount, ...]:
    return tuple(_mount(mount, sources.get(mount.target, "")) for mount in mounts)


def _mount(mount: PlannedMount, source: str) -> Mount:
    if mount.kind == "tmpfs":
        return Mount(
            kind="tmpfs",
            target=mount.target,
            read_only=not mount.writable,
            size=mount.size,
            mode=mount.permissions,
            options=mount.options,
        )
    return Mount(
        source=source,
        target=mount.target,
        read_only=not mount.writable,
        recursive=mount.recursive,
        read_only_recursive=mount.read_only_recursive,
        propagation=mount.propagation or "rprivate",
    )
