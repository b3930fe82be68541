"""Whether a container may be as a client wants it: pure, in Docker's words.

Only what would be wrong on any machine, or follows from the number of its processors, is
refused here; what the kernel or the runtime can't give is found out by them.
"""

import posixpath
import re
from collections.abc import Iterator

from sampan.engine.containers import restart_policy
from sampan.engine.containers.configuration import (
    Configuration,
    HealthConfiguration,
    HostConfiguration,
    Resources,
)
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime import capabilities

_LEAST_MEMORY = 6 << 20
_MILLISECOND = 1_000_000
_PORT = re.compile(r"(\d{1,5})(-\d{1,5})?(/(tcp|udp|sctp))?")
_HOST_LABELS = re.compile(r"[a-zA-Z0-9._-]{1,253}")
_CPU_LIST = re.compile(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*")
_LOG_DRIVERS = ("", "json-file", "local", "none")
_IPC_MODES = ("", "none", "private", "shareable", "host")


def check(configuration: Configuration, host: HostConfiguration, processors: int) -> None:
    """Raises InvalidConfiguration for what can't be."""
    for problem in _problems(configuration, host, processors):
        raise InvalidConfiguration(problem)
    restart_policy.checked(host.restart_policy)


def check_resources(resources: Resources, processors: int) -> None:
    """The same for limits alone."""
    for problem in (*_cpu(resources, processors), *_memory(resources), *_rates(resources)):
        raise InvalidConfiguration(problem)


def warnings(configuration: Configuration, host: HostConfiguration) -> tuple[str, ...]:
    """What is done otherwise than was asked for, without being refused."""
    told = []
    if host.network_mode == "host" and (host.port_bindings or host.publish_all_ports):
        told.append("Published ports are discarded when using host network mode")
    if host.out_of_memory_kill_disabled and not host.memory:
        told.append(
            "OOM killer is disabled for the container, but no memory limit is set, this "
            "can result in the system running out of resources."
        )
    return tuple(told)


def _problems(
    configuration: Configuration, host: HostConfiguration, processors: int
) -> Iterator[str]:
    folder = configuration.working_directory
    if folder and not posixpath.isabs(folder):
        yield f"the working directory '{folder}' is invalid, it needs to be an absolute path"
    if configuration.hostname and not _HOST_LABELS.fullmatch(configuration.hostname):
        yield f"invalid hostname format: {configuration.hostname[:100]}"
    for entry in configuration.environment or ():
        if not entry.partition("=")[0] or "\0" in entry:
            yield f"invalid environment variable: {entry[:100]}"
    if any(
        "\0" in word for word in (configuration.entrypoint or ()) + (configuration.command or ())
    ):
        yield "an argument of the command holds a null byte"
    if configuration.health_check is not None:
        yield from _health(configuration.health_check)
    if (configuration.stop_timeout or 0) < -1:
        yield f"invalid stop timeout: {configuration.stop_timeout}"
    yield from _modes(configuration, host)
    for port in (*(configuration.exposed_ports or ()), *(host.port_bindings or ())):
        if not _is_port(port):
            yield f'invalid port specification: "{port[:100]}"'
    if host.auto_remove and host.restart_policy.name not in ("", "no"):
        yield "can't create 'AutoRemove' container with restart policy"
    yield from (*_cpu(host, processors), *_memory(host), *_rates(host))
    yield from _privileges(host)
    score = host.out_of_memory_score_adjustment
    if not -1000 <= score <= 1000:
        yield f"Invalid value {score}, range for oom score adj is [-1000, 1000]"
    if host.shared_memory_size < 0:
        yield "SHM size can not be less than 0"


def _privileges(host: HostConfiguration) -> Iterator[str]:
    for field, names in (
        ("CapAdd", host.capabilities_added),
        ("CapDrop", host.capabilities_dropped),
    ):
        for name in capabilities.unknown(names or ()):
            yield f'invalid {field}: unknown capability: "{name[:80]}"'
    if host.isolation not in ("", "default"):
        yield f"invalid isolation: \"{host.isolation[:80]}\" - linux only supports 'default'"


def _modes(configuration: Configuration, host: HostConfiguration) -> Iterator[str]:
    kind, _, shared = host.ipc_mode.partition(":")
    if host.ipc_mode not in _IPC_MODES and not (kind == "container" and shared):
        yield f"invalid IPC mode: {host.ipc_mode[:100]}"
    kind, _, shared = host.process_mode.partition(":")
    if host.process_mode not in ("", "host") and not (kind == "container" and shared):
        yield f"invalid PID mode: {host.process_mode[:100]}"
    if host.uts_mode not in ("", "host"):
        yield f"invalid UTS mode: {host.uts_mode[:100]}"
    if host.user_namespace_mode not in ("", "host"):
        yield f"invalid userns mode: {host.user_namespace_mode[:100]}"
    if host.cgroup_namespace_mode not in ("", "private", "host"):
        yield f"invalid cgroup namespace mode: {host.cgroup_namespace_mode[:100]}"
    if host.uts_mode == "host" and (configuration.hostname or configuration.domain_name):
        yield "conflicting options: hostname and the UTS mode"
    if host.network_mode.startswith("container:"):
        if configuration.hostname:
            yield "conflicting options: hostname and the network mode"
        if host.links:
            yield (
                "conflicting options: container type network can't be used with links. This "
                "would result in undefined behavior"
            )
        if host.port_bindings or host.publish_all_ports:
            yield "conflicting options: port publishing and the container type network mode"
        if configuration.exposed_ports:
            yield "conflicting options: port exposing and the container type network mode"
    if host.log_configuration.kind not in _LOG_DRIVERS:
        yield f"logger: no log driver named '{host.log_configuration.kind[:100]}' is registered"


def _health(health: HealthConfiguration) -> Iterator[str]:
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value and value < _MILLISECOND:
            yield f"{name} in Healthcheck cannot be less than 1ms"
    if health.retries < 0:
        yield "Retries in Healthcheck cannot be negative"


def _cpu(resources: Resources, processors: int) -> Iterator[str]:
    nano, period, quota = resources.nano_cpus, resources.cpu_period, resources.cpu_quota
    if nano and period:
        yield "Conflicting options: Nano CPUs and CPU Period cannot both be set."
    if nano and quota:
        yield "Conflicting options: Nano CPUs and CPU Quota cannot both be set."
    if nano < 0 or nano > processors * 10**9:
        yield (
            f"range of CPUs is from 0.01 to {processors}.00, "
            f"as there are only {processors} CPUs available"
        )
    if period and not 1000 <= period <= 1_000_000:
        yield (
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if quota and quota != -1 and quota < 1000:
        yield "CPU cfs quota can not be less than 1ms (i.e. 1000)"
    if resources.cpu_shares < 0:
        yield f"invalid CPU shares ({resources.cpu_shares}): value must be a positive integer"
    cpus = resources.cpu_set_cpus
    if cpus:
        if not _CPU_LIST.fullmatch(cpus):
            yield f"Invalid value {cpus[:100]} for cpuset cpus"
        elif max(map(int, re.findall(r"\d+", cpus))) >= processors:
            available = f"0-{processors - 1}" if processors > 1 else "0"
            yield f"Requested CPUs are not available - requested {cpus}, available: {available}"
    nodes = resources.cpu_set_memory_nodes
    if nodes and not _CPU_LIST.fullmatch(nodes):
        yield f"Invalid value {nodes[:100]} for cpuset mems"


def _memory(resources: Resources) -> Iterator[str]:
    memory, swap = resources.memory, resources.memory_swap
    if memory and memory < _LEAST_MEMORY:
        yield "Minimum memory limit allowed is 6MB"
    if memory and swap and swap != -1 and swap < memory:
        yield "Minimum memoryswap limit should be larger than memory limit, see usage"
    if not memory and swap > 0:
        yield "You should always set the Memory limit when using Memoryswap limit, see usage"
    swappiness = resources.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        yield f"Invalid value: {swappiness}, valid memory swappiness range is 0-100"
    reservation = resources.memory_reservation
    if reservation and reservation < _LEAST_MEMORY:
        yield "Minimum memory reservation allowed is 6MB"
    if memory and reservation > memory:
        yield "Minimum memory limit can not be less than memory reservation limit, see usage"


def _rates(resources: Resources) -> Iterator[str]:
    weights = [resources.block_io_weight]
    weights += [device.weight for device in resources.block_io_weight_device or ()]
    if any(weight and not 10 <= weight <= 1000 for weight in weights):
        yield "Range of blkio weight is from 10 to 1000"


def _is_port(text: str) -> bool:
    found = _PORT.fullmatch(text)
    if found is None:
        return False
    first = int(found[1])
    last = int(found[2][1:]) if found[2] else first
    return first <= last <= 65535
