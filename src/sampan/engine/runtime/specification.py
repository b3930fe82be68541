"""The OCI runtime configuration (config.json) of a container: one pure function.

In: what the caller configured, what its image says, and facts of the host. Out: the document
of the OCI runtime specification 1.1. No file is read or written here.
"""

import base64
import posixpath
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sampan.engine.configuration import ContainerConfiguration, Mount
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.runtime import capabilities, seccomp
from sampan.engine.runtime.users import ResolvedUser

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM_ANNOTATION = "run.oci.seccomp_bpf_data"
_CPU_PERIOD = 100_000
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the container's own, mounted afresh
_OPEN_FILES = 1_048_576
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_CHARACTER_DEVICES = (
    (1, 3),  # null
    (1, 5),  # zero
    (1, 7),  # full
    (1, 8),  # random
    (1, 9),  # urandom
    (5, 0),  # tty
    (5, 1),  # console
    (5, 2),  # ptmx
    (136, None),  # pts/*
)


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the host can give: `lowest_out_of_memory_score` is None when any may be set."""

    capabilities: frozenset[str]
    accounts_swap: bool
    open_files_limit: int
    lowest_out_of_memory_score: int | None = None


def runtime_specification(
    configuration: ContainerConfiguration,
    image: ExecutionConfiguration,
    user: ResolvedUser,
    host: HostFacts,
    *,
    root: str,
    cgroup: str,
    process_namespace: str = "",
) -> dict[str, Any]:
    """The runtime's document. `process_namespace` is the path of a PID namespace to enter.

    Raises InvalidConfiguration.
    """
    granted = capabilities.effective(
        configuration.added_capabilities,
        configuration.dropped_capabilities,
        privileged=configuration.privileged,
        available=host.capabilities,
    )
    linux = _linux(configuration, host, granted, cgroup, process_namespace)
    return {
        "ociVersion": "1.0.2",
        "process": _process(configuration, image, user, host, granted),
        "root": {"path": root, "readonly": configuration.read_only_root},
        "hostname": configuration.hostname,
        "mounts": list(_mounts(configuration)),
        "linux": linux,
        "annotations": _annotations(granted) if "seccomp" in linux else {},
    }


def arguments(
    configuration: ContainerConfiguration, image: ExecutionConfiguration
) -> tuple[str, ...]:
    """The command line: a new entrypoint also drops the image's command."""
    entrypoint, command = configuration.entrypoint, configuration.command
    if command is None:
        command = image.cmd or () if entrypoint is None else ()
    if entrypoint is None:
        entrypoint = image.entrypoint or ()
    if not (entrypoint or command):
        raise InvalidConfiguration("no command: neither the image nor the container names one")
    return (*entrypoint, *command)


def environment(
    configuration: ContainerConfiguration, image: ExecutionConfiguration, user: ResolvedUser
) -> dict[str, str]:
    """The image's variables, then the container's over them; PATH and HOME always exist."""
    merged = {"PATH": DEFAULT_PATH}
    merged.update(entry.partition("=")[::2] for entry in image.env or ())
    if configuration.hostname:
        merged["HOSTNAME"] = configuration.hostname
    if configuration.terminal:
        merged.setdefault("TERM", "xterm")
    merged.update(configuration.environment)
    merged.setdefault("HOME", user.home or ("/root" if user.uid == 0 else "/"))
    return merged


def working_directory(configuration: ContainerConfiguration, image: ExecutionConfiguration) -> str:
    """An absolute path; one below /proc could be a descriptor that leads out of the container."""
    folder = posixpath.normpath(configuration.working_directory or image.working_dir or "/")
    folder = "/" + folder.lstrip("/") if folder.startswith("//") else folder
    if not folder.startswith("/"):
        raise InvalidConfiguration(f"the working directory {folder!r} is not an absolute path")
    if folder == "/proc" or folder.startswith("/proc/"):
        raise InvalidConfiguration(f"the working directory {folder!r} lies in /proc")
    return folder


def _process(
    configuration: ContainerConfiguration,
    image: ExecutionConfiguration,
    user: ResolvedUser,
    host: HostFacts,
    granted: frozenset[str],
) -> dict[str, Any]:
    held = sorted(granted)
    files = min(_OPEN_FILES, host.open_files_limit)
    process: dict[str, Any] = {
        "terminal": configuration.terminal,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": list(arguments(configuration, image)),
        "env": [
            f"{name}={value}" for name, value in environment(configuration, image, user).items()
        ],
        "cwd": working_directory(configuration, image),
        "capabilities": {
            "bounding": held,
            "permitted": held,
            "effective": held,
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": files, "hard": files}],
        "noNewPrivileges": not (
            configuration.allow_privilege_escalation or configuration.privileged
        ),
    }
    score = configuration.out_of_memory_score_adjustment
    if score is not None:
        lowest = host.lowest_out_of_memory_score
        process["oomScoreAdj"] = score if lowest is None else max(score, lowest)
    return process


def _linux(
    configuration: ContainerConfiguration,
    host: HostFacts,
    granted: frozenset[str],
    cgroup: str,
    process_namespace: str,
) -> dict[str, Any]:
    linux: dict[str, Any] = {
        "cgroupsPath": f"/{cgroup}",
        "namespaces": list(_namespaces(configuration, process_namespace)),
        "resources": _resources(configuration, host),
    }
    if not configuration.privileged:
        linux["maskedPaths"] = list(_MASKED)
        linux["readonlyPaths"] = list(_READ_ONLY)
    if configuration.seccomp_profile == "default" and not configuration.privileged:
        linux["seccomp"] = seccomp.default_profile(granted)
    elif configuration.seccomp_profile not in ("default", "unconfined"):
        raise InvalidConfiguration(
            f"the seccomp profile {configuration.seccomp_profile!r} is not known; "
            "use 'default' or 'unconfined'"
        )
    return linux


def _annotations(granted: frozenset[str]) -> dict[str, str]:
    """crun takes the compiled filter from here; other runtimes compile the profile themselves."""
    program = seccomp.default_program(granted)
    return {_PROGRAM_ANNOTATION: base64.b64encode(program).decode()} if program else {}


def _namespaces(
    configuration: ContainerConfiguration, process_namespace: str
) -> Iterator[dict[str, str]]:
    yield {"type": "mount"}
    yield {"type": "ipc"}
    yield {"type": "uts"}
    yield {"type": "cgroup"}
    if process_namespace:
        yield {"type": "pid", "path": process_namespace}
    elif not configuration.host_process_namespace:
        yield {"type": "pid"}
    if configuration.network_namespace not in ("", "host"):
        yield {"type": "network", "path": configuration.network_namespace}
    elif not configuration.network_namespace:
        yield {"type": "network"}


def _resources(configuration: ContainerConfiguration, host: HostFacts) -> dict[str, Any]:
    limits = configuration.limits
    resources: dict[str, Any] = {"devices": list(_device_rules(configuration.privileged))}
    cpu: dict[str, int] = {}
    if limits.cpu_quota:
        cpu |= {"quota": limits.cpu_quota, "period": _CPU_PERIOD}
    if limits.cpu_shares:
        cpu["shares"] = limits.cpu_shares
    if cpu:
        resources["cpu"] = cpu
    if limits.memory:
        resources["memory"] = {"limit": limits.memory}
        if host.accounts_swap:
            resources["memory"]["swap"] = limits.memory
    if limits.pids:
        resources["pids"] = {"limit": limits.pids}
    return resources


def _device_rules(privileged: bool) -> Iterator[dict[str, Any]]:
    if privileged:
        yield {"allow": True, "access": "rwm"}
        return
    yield {"allow": False, "access": "rwm"}
    yield {"allow": True, "type": "c", "access": "m"}
    yield {"allow": True, "type": "b", "access": "m"}
    for major, minor in _CHARACTER_DEVICES:
        rule = {"allow": True, "type": "c", "major": major, "access": "rwm"}
        yield rule if minor is None else rule | {"minor": minor}


def _mounts(configuration: ContainerConfiguration) -> Iterator[dict[str, Any]]:
    kernel = ["nosuid", "noexec", "nodev"]
    system = kernel if configuration.privileged else [*kernel, "ro"]
    yield _mount("/proc", "proc", "proc", kernel)
    yield _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"])
    yield _mount(
        "/dev/pts",
        "devpts",
        "devpts",
        ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    )
    yield _mount(_SHARED_MEMORY, "tmpfs", "shm", [*kernel, "mode=1777", "size=65536k"])
    yield _mount("/dev/mqueue", "mqueue", "mqueue", kernel)
    yield _mount("/sys", "sysfs", "sysfs", system)
    yield _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*system, "relatime"])
    for mount in sorted(configuration.mounts, key=lambda mount: mount.target.count("/")):
        yield _user_mount(mount)


def _user_mount(mount: Mount) -> dict[str, Any]:
    target = posixpath.normpath(mount.target)
    if not target.startswith("/") or target == "/":
        raise InvalidConfiguration(f"{mount.target!r} is not an absolute path to mount at")
    access = ["ro"] if mount.read_only else ["rw"]
    if mount.kind == "tmpfs":
        size = [f"size={mount.size}"] if mount.size else []
        return _mount(target, "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=1777", *size, *access])
    if not mount.source.startswith("/"):
        raise InvalidConfiguration(f"{mount.source!r} is not an absolute path to mount")
    return _mount(target, "bind", mount.source, ["rbind", "rprivate", *access])


def _mount(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}
