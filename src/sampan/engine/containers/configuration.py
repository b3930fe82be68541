"""Docker's documents of containers as structs: what a client sends is what is kept and shown.

The structs' fields have whole words for names and Docker's own on the wire (Docker Engine API
1.24 to 1.52, `ContainerConfig`, `HostConfig`, `EndpointSettings` and what lies in them), so that
a body decodes straight into them and an inspection encodes straight out of them. Fields that
are not known are ignored and null is the same as nothing, as Docker has it. What a value means
is not known here.
"""

from functools import cache
from typing import Any, ClassVar, TypeVar

import msgspec

from sampan.engine.containers.wire_names import wire_name
from sampan.engine.contract import InvalidConfiguration

_WORDS_OR_LIST = frozenset(("Cmd", "Entrypoint", "Shell"))
_Kind = TypeVar("_Kind")


class Document(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name):
    """A document of Docker's. `omitted_when_empty` holds the wire names left out when empty."""

    omitted_when_empty: ClassVar[frozenset[str]] = frozenset()


def _omitted(wire_names: str) -> frozenset[str]:
    return frozenset(wire_names.split())


class HealthConfiguration(Document, frozen=True, kw_only=True):
    """Times in nanoseconds, 0 for the default; an empty `test` inherits the image's."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted(
        "Test Interval Timeout StartPeriod StartInterval Retries"
    )
    test: tuple[str, ...] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Configuration(Document, frozen=True, kw_only=True):
    """Docker's `Config`: what of a container could as well come from its image."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted(
        "ExposedPorts Healthcheck ArgsEscaped NetworkDisabled "
        "MacAddress StopSignal StopTimeout Shell"
    )
    hostname: str = ""
    domain_name: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, Any]] | None = None
    terminal: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    environment: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    health_check: HealthConfiguration | None = None
    arguments_escaped: bool = False
    image: str = ""
    volumes: dict[str, dict[str, Any]] | None = None
    working_directory: str = ""
    entrypoint: tuple[str, ...] | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: tuple[str, ...] | None = None


class RestartPolicy(Document, frozen=True, kw_only=True):
    """`name`: "", no, always, unless-stopped or on-failure."""

    name: str = ""
    maximum_retry_count: int = 0


class LogConfiguration(Document, frozen=True, kw_only=True):
    """A log driver and its options; an empty `kind` is the engine's default."""

    kind: str = ""
    configuration: dict[str, str] | None = None


class PortBinding(Document, frozen=True, kw_only=True):
    """`host_port` may be "" (any free one) or a range `8000-8010`."""

    host_address: str = ""
    host_port: str = ""


class WeightDevice(Document, frozen=True, kw_only=True):
    path: str = ""
    weight: int = 0


class ThrottleDevice(Document, frozen=True, kw_only=True):
    """A rate in bytes or operations a second."""

    path: str = ""
    rate: int = 0


class DeviceMapping(Document, frozen=True, kw_only=True):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class DeviceRequest(Document, frozen=True, kw_only=True):
    """Devices by driver (`cdi`: `device_identifiers` are CDI names) or by capability."""

    driver: str = ""
    count: int = 0
    device_identifiers: tuple[str, ...] | None = None
    capabilities: tuple[tuple[str, ...], ...] | None = None
    options: dict[str, str] | None = None


class Ulimit(Document, frozen=True, kw_only=True):
    name: str = ""
    hard: int = 0
    soft: int = 0


class BindOptions(Document, frozen=True, kw_only=True):
    omitted_when_empty: ClassVar[frozenset[str]] = _omitted(
        "Propagation NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive"
    )
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class DriverConfiguration(Document, frozen=True, kw_only=True):
    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("Name Options")
    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(Document, frozen=True, kw_only=True):
    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("NoCopy Labels Subpath DriverConfig")
    no_copy: bool = False
    labels: dict[str, str] | None = None
    subpath: str = ""
    driver_configuration: DriverConfiguration | None = None


class TmpfsOptions(Document, frozen=True, kw_only=True):
    """`mode` is a file mode as a number; `options` are pairs or flags."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("SizeBytes Mode Options")
    size_bytes: int = 0
    mode: int = 0
    options: tuple[tuple[str, ...], ...] | None = None


class ImageOptions(Document, frozen=True, kw_only=True):
    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("Subpath")
    subpath: str = ""


class Mount(Document, frozen=True, kw_only=True):
    """One of `--mount`: `kind` is bind, volume, tmpfs or image."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted(
        "Source ReadOnly Consistency BindOptions VolumeOptions TmpfsOptions ImageOptions"
    )
    kind: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    image_options: ImageOptions | None = None


class MountPoint(Document, frozen=True, kw_only=True):
    """What an inspection tells of a mount that a container has."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("Name Driver")
    kind: str
    name: str = ""
    source: str = ""
    destination: str
    driver: str = ""
    mode: str = ""
    writable: bool = True
    propagation: str = ""


class Resources(Document, frozen=True, kw_only=True):
    """Limits; 0, None or "" for none. CPU periods and quotas are in microseconds."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("KernelMemory KernelMemoryTCP")
    cpu_shares: int = 0
    memory: int = 0
    nano_cpus: int = 0
    cgroup_parent: str = ""
    block_io_weight: int = 0
    block_io_weight_device: tuple[WeightDevice, ...] | None = None
    block_io_device_read_bytes: tuple[ThrottleDevice, ...] | None = None
    block_io_device_write_bytes: tuple[ThrottleDevice, ...] | None = None
    block_io_device_read_operations: tuple[ThrottleDevice, ...] | None = None
    block_io_device_write_operations: tuple[ThrottleDevice, ...] | None = None
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpu_set_cpus: str = ""
    cpu_set_memory_nodes: str = ""
    devices: tuple[DeviceMapping, ...] | None = None
    device_cgroup_rules: tuple[str, ...] | None = None
    device_requests: tuple[DeviceRequest, ...] | None = None
    kernel_memory: int = 0
    kernel_memory_tcp: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    out_of_memory_kill_disabled: bool | None = None
    processes_limit: int | None = None
    ulimits: tuple[Ulimit, ...] | None = None
    cpu_count: int = 0
    cpu_percent: int = 0
    io_maximum_operations: int = 0
    io_maximum_bandwidth: int = 0


class UpdateConfiguration(Resources, frozen=True, kw_only=True):
    """What `docker update` may change; what is empty stays as it is."""

    restart_policy: RestartPolicy = RestartPolicy()


class HostConfiguration(Resources, frozen=True, kw_only=True):
    """Docker's `HostConfig`: what ties a container to this machine."""

    omitted_when_empty: ClassVar[frozenset[str]] = Resources.omitted_when_empty | _omitted(
        "Annotations StorageOpt Tmpfs Sysctls Mounts Init"
    )
    binds: tuple[str, ...] | None = None
    container_identifier_file: str = ""
    log_configuration: LogConfiguration = LogConfiguration()
    network_mode: str = ""
    port_bindings: dict[str, tuple[PortBinding, ...] | None] | None = None
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: tuple[str, ...] | None = None
    console_size: tuple[int, int] = (0, 0)
    annotations: dict[str, str] | None = None
    capabilities_added: tuple[str, ...] | None = None
    capabilities_dropped: tuple[str, ...] | None = None
    cgroup_namespace_mode: str = ""
    dns: tuple[str, ...] | None = None
    dns_options: tuple[str, ...] | None = None
    dns_search: tuple[str, ...] | None = None
    extra_hosts: tuple[str, ...] | None = None
    groups_added: tuple[str, ...] | None = None
    ipc_mode: str = ""
    cgroup: str = ""
    links: tuple[str, ...] | None = None
    out_of_memory_score_adjustment: int = 0
    process_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    read_only_root: bool = False
    security_options: tuple[str, ...] | None = None
    storage_options: dict[str, str] | None = None
    tmpfs: dict[str, str] | None = None
    uts_mode: str = ""
    user_namespace_mode: str = ""
    shared_memory_size: int = 0
    sysctls: dict[str, str] | None = None
    runtime: str = ""
    isolation: str = ""
    mounts: tuple[Mount, ...] | None = None
    masked_paths: tuple[str, ...] | None = None
    read_only_paths: tuple[str, ...] | None = None
    init: bool | None = None


class EndpointAddresses(Document, frozen=True, kw_only=True):
    """The addresses that a container asks for on a network."""

    omitted_when_empty: ClassVar[frozenset[str]] = _omitted("IPv4Address IPv6Address LinkLocalIPs")
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_addresses: tuple[str, ...] | None = None


class EndpointSettings(Document, frozen=True, kw_only=True):
    """A container's place on a network: what was asked for, and what came true while it runs."""

    ipam_configuration: EndpointAddresses | None = None
    links: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    mac_address: str = ""
    driver_options: dict[str, str] | None = None
    gateway_priority: int = 0
    network_identifier: str = ""
    endpoint_identifier: str = ""
    gateway: str = ""
    ip_address: str = ""
    ip_prefix_length: int = 0
    ipv6_gateway: str = ""
    global_ipv6_address: str = ""
    global_ipv6_prefix_length: int = 0
    dns_names: tuple[str, ...] | None = None


class NetworkingConfiguration(Document, frozen=True, kw_only=True):
    """The endpoints asked for at creation, by the networks' names."""

    endpoints: dict[str, EndpointSettings | None] | None = None


class ExecConfiguration(Document, frozen=True, kw_only=True):
    """A further command in a running container."""

    user: str = ""
    privileged: bool = False
    terminal: bool = False
    console_size: tuple[int, int] | None = None
    attach_stdin: bool = False
    attach_stderr: bool = False
    attach_stdout: bool = False
    detach_keys: str = ""
    environment: tuple[str, ...] | None = None
    working_directory: str = ""
    command: tuple[str, ...] | None = None


def converted(tree: Any, kind: type[_Kind]) -> _Kind:
    """A client's JSON tree as a document. Raises InvalidConfiguration."""
    try:
        return msgspec.convert(_cleaned(tree), kind)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(f"invalid JSON: {error}") from error


def tree_of(document: Any) -> Any:
    """A document as the JSON tree that Docker shows."""
    return _shown(document)


def _cleaned(tree: Any, name: str = "") -> Any:
    """Without what is null, and with lists where Docker takes a single word as well."""
    if isinstance(tree, dict):
        return {
            key: _cleaned(value, key)
            for key, value in tree.items()
            if value is not None or name in ("PortBindings", "EndpointsConfig")
        }
    if isinstance(tree, list):
        return [_cleaned(item) for item in tree]
    return [tree] if isinstance(tree, str) and name in _WORDS_OR_LIST else tree


def _shown(value: Any) -> Any:
    if isinstance(value, Document):
        return _shown_document(value)
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_shown(item) for item in value]
    return value


def _shown_document(document: Document) -> dict[str, Any]:
    shown = {}
    for field in _fields(type(document)):
        value = getattr(document, field.name)
        left_out = value == field.default or value in ((), {}, None)
        if not (left_out and field.encode_name in document.omitted_when_empty):
            shown[field.encode_name] = _shown(value)
    return shown


@cache
def _fields(kind: type[Document]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)
