"""What makes a container, as the engine's mechanism takes it: one frozen tree of plain values.

Neither what people write (Docker's documents) nor the OCI runtime's document: who speaks those
translates. Nothing here is looked up or decided.
"""

from typing import Literal

import msgspec

from sampan.host.identifier_map import IdentifierMap

Propagation = Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"]


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is a host path for `bind`; empty for `tmpfs`, whose `size` is in bytes.

    `recursive` brings what is mounted below the source; `read_only_recursive` makes that
    read-only as well. `mode` is a tmpfs's, `options` are more of its mount options (tmpfs(5)).
    """

    kind: Literal["bind", "tmpfs"] = "bind"
    source: str = ""
    target: str
    read_only: bool = False
    size: int = 0
    recursive: bool = True
    read_only_recursive: bool = False
    propagation: Propagation = "rprivate"
    mode: int = 0o1777
    options: tuple[str, ...] = ()


class DeviceRate(msgspec.Struct, frozen=True):
    """A bound, or a weight, of one block device of the host, named by its path."""

    path: str
    rate: int


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Zero means no limit. `cpu_quota` is in microseconds of CPU each `cpu_period`.

    `processors` and `memory_nodes` are lists as in cpuset(7), "" for all. `memory_and_swap` is
    the sum of both: 0 gives no swap, -1 as much as there is. `memory_swappiness` is -1 for the
    host's. Real-time CPU needs a kernel and a hierarchy (v1) that schedule groups in real time.
    """

    cpu_quota: int = 0
    cpu_period: int = 100_000
    cpu_shares: int = 0
    cpu_realtime_runtime: int = 0
    cpu_realtime_period: int = 0
    processors: str = ""
    memory_nodes: str = ""
    memory: int = 0
    memory_and_swap: int = 0
    memory_reservation: int = 0
    memory_swappiness: int = -1
    out_of_memory_kill_disabled: bool = False
    pids: int = 0
    io_weight: int = 0
    io_device_weights: tuple[DeviceRate, ...] = ()
    read_bytes: tuple[DeviceRate, ...] = ()
    write_bytes: tuple[DeviceRate, ...] = ()
    read_operations: tuple[DeviceRate, ...] = ()
    write_operations: tuple[DeviceRate, ...] = ()


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device node of the host, or a folder of them, that a container may use.

    `permissions` are out of `rwm` (read, write, make a node). An empty `target` is the source.
    """

    source: str
    target: str = ""
    permissions: str = "rwm"


class ResourceLimit(msgspec.Struct, frozen=True):
    """A limit of setrlimit(2) by its short name, as `nofile`; -1 is unlimited."""

    name: str
    soft: int
    hard: int


class ContainerConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """All that makes a container; what is empty here comes from its image.

    `network_namespace` is a path to enter, or "" for a namespace of its own with loopback only,
    or "host". `cgroup_parent` is relative to each controller's root. `log_path` gets the output
    in CRI log format; with "" it is not kept. `user` is `uid[:gid]` or names found in the image,
    so are the groups. `share_..._of` name another container that must be running then.

    * `ipc_mode`: `private`, `shareable` (others may share it), `host` or `none` (no /dev/shm).
    * `seccomp_profile`: `default`, `unconfined`, or a profile as a JSON document, in the form of
      the OCI runtime specification or of Docker. `apparmor_profile`: its name, "" for none.
    * `masked_paths`, `read_only_paths`: None for the usual ones.
    * `device_rules`: lines as of the devices cgroup, `c 10:200 rwm`.
    * `cdi_devices`: qualified names of the Container Device Interface, `vendor/class=name`.
    * `uid_maps`, `gid_maps`: empty for the host's own user namespace.
    * `stdin_outlives_clients`: its standard input does not end when an attached client goes.
    * `durable`: what is written to the root is to outlive a power cut as the program synced it.
    * `init`: a small process of ours is the first one; it passes signals on and reaps orphans.
    * `environment_is_complete`: nothing of the image's environment is added.
    * `root_size`: how many bytes may be written to its root, 0 for no limit; it holds from the
      making of the container to its end.
    """

    name: str
    image: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    environment_is_complete: bool = False
    working_directory: str = ""
    user: str = ""
    supplemental_groups: tuple[int | str, ...] = ()
    hostname: str = ""
    domain_name: str = ""
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    resource_limits: tuple[ResourceLimit, ...] = ()
    cgroup_parent: str
    network_namespace: str = ""
    host_process_namespace: bool = False
    share_process_namespace_of: str = ""
    ipc_mode: Literal["private", "shareable", "host", "none"] = "private"
    share_ipc_namespace_of: str = ""
    host_uts_namespace: bool = False
    host_cgroup_namespace: bool = False
    uid_maps: tuple[IdentifierMap, ...] = ()
    gid_maps: tuple[IdentifierMap, ...] = ()
    shared_memory_size: int = 64 << 20
    added_capabilities: tuple[str, ...] = ()
    dropped_capabilities: tuple[str, ...] = ()
    privileged: bool = False
    allow_privilege_escalation: bool = False
    read_only_root: bool = False
    seccomp_profile: str = "default"
    apparmor_profile: str = ""
    masked_paths: tuple[str, ...] | None = None
    read_only_paths: tuple[str, ...] | None = None
    sysctls: dict[str, str] = {}
    devices: tuple[Device, ...] = ()
    device_rules: tuple[str, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    out_of_memory_score_adjustment: int | None = None
    terminal: bool = False
    keep_stdin_open: bool = False
    stdin_outlives_clients: bool = False
    init: bool = False
    durable: bool = False
    root_size: int = 0
    log_path: str
    stop_signal: str = ""
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}
