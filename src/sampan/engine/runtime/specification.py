"""The OCI runtime configuration (config.json) of a container: one pure function.

In: what the caller configured, what its image says, and facts of the host. Out: the document
of the OCI runtime specification 1.1. No file is read or written here.
"""

import base64
from typing import Any, Final, Literal

import msgspec

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.runtime import capabilities, cdi_documents, devices, seccomp
from sampan.engine.runtime.mount_table import mount_table, root_propagation
from sampan.engine.runtime.namespace_list import namespace_list
from sampan.engine.runtime.resource_limits import resource_limits
from sampan.engine.runtime.resources import resources
from sampan.engine.runtime.seccomp_document import SeccompHost, seccomp_document
from sampan.engine.runtime.surroundings import INIT_PATH, Surroundings
from sampan.engine.runtime.sysctls import checked_sysctls
from sampan.engine.runtime.users import ResolvedUser
from sampan.engine.runtime.working_directory import checked_path

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM_ANNOTATION = "run.oci.seccomp_bpf_data"
_LOWEST_SCORE, _HIGHEST_SCORE = -1000, 1000
_UNCONFINED = "unconfined"
USUAL_MASKED_PATHS: Final[tuple[str, ...]] = (
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
USUAL_READ_ONLY_PATHS: Final[tuple[str, ...]] = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the host can give: `lowest_out_of_memory_score` is None when any may be set.

    `highest_limits` are those of setrlimit(2) that can't be exceeded, by their short names.
    """

    capabilities: frozenset[str]
    accounts_swap: bool
    control_group_version: Literal[1, 2] = 1
    highest_limits: dict[str, int] = {}
    lowest_out_of_memory_score: int | None = None
    confines_by_app_armor: bool = False
    machine: str = "x86_64"
    kernel_release: str = ""


def runtime_specification(
    configuration: ContainerConfiguration,
    image: ExecutionConfiguration,
    user: ResolvedUser,
    host: HostFacts,
    surroundings: Surroundings = Surroundings(),  # noqa: B008 - it is frozen
    *,
    root: str,
    cgroup: str,
) -> dict[str, Any]:
    """The runtime's document. Raises InvalidConfiguration."""
    granted = capabilities.effective(
        configuration.added_capabilities,
        configuration.dropped_capabilities,
        privileged=configuration.privileged,
        available=host.capabilities,
    )
    linux = _linux(configuration, host, granted, surroundings, cgroup)
    document: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": _process(configuration, image, user, host, surroundings, granted=granted),
        "root": {"path": root, "readonly": configuration.read_only_root},
        "mounts": mount_table(configuration, surroundings),
        "linux": linux,
        "annotations": configuration.annotations | _annotations(configuration, granted),
    }
    if not configuration.host_uts_namespace:
        document["hostname"] = configuration.hostname
    if hooks := cdi_documents.hooks(surroundings.edits):
        document["hooks"] = hooks
    return document


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
    if not configuration.environment_is_complete:
        merged.update(entry.partition("=")[::2] for entry in image.env or ())
    if configuration.hostname:
        merged["HOSTNAME"] = configuration.hostname
    if configuration.terminal:
        merged.setdefault("TERM", "xterm")
    merged.update(configuration.environment)
    merged.setdefault("HOME", user.home or ("/root" if user.uid == 0 else "/"))
    return merged


def working_directory(configuration: ContainerConfiguration, image: ExecutionConfiguration) -> str:
    """An absolute path. Raises InvalidConfiguration."""
    return checked_path(configuration.working_directory or image.working_dir or "/")


def _process(
    configuration: ContainerConfiguration,
    image: ExecutionConfiguration,
    user: ResolvedUser,
    host: HostFacts,
    surroundings: Surroundings,
    *,
    granted: frozenset[str],
) -> dict[str, Any]:
    held = sorted(granted)
    variables = environment(configuration, image, user)
    variables |= cdi_documents.variables(surroundings.edits)
    words = arguments(configuration, image)
    groups = dict.fromkeys((*user.groups, *cdi_documents.groups(surroundings.edits)))
    process: dict[str, Any] = {
        "terminal": configuration.terminal,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(groups)},
        "args": [INIT_PATH, "--", *words] if surroundings.init else list(words),
        "env": [f"{name}={value}" for name, value in variables.items()],
        "cwd": working_directory(configuration, image),
        "capabilities": {
            "bounding": held,
            "permitted": held,
            "effective": held,
        },
        "rlimits": resource_limits(configuration.resource_limits, host.highest_limits),
        "noNewPrivileges": not (
            configuration.allow_privilege_escalation or configuration.privileged
        ),
    }
    score = configuration.out_of_memory_score_adjustment
    if score is not None:
        process["oomScoreAdj"] = _score(score, host)
    if profile := _app_armor_profile(configuration, host):
        process["apparmorProfile"] = profile
    return process


def _score(score: int, host: HostFacts) -> int:
    if not _LOWEST_SCORE <= score <= _HIGHEST_SCORE:
        raise InvalidConfiguration(
            f"Invalid value {score}, range for oom score adj is [-1000, 1000]"
        )
    lowest = host.lowest_out_of_memory_score
    return score if lowest is None else max(score, lowest)


def _app_armor_profile(configuration: ContainerConfiguration, host: HostFacts) -> str:
    profile = configuration.apparmor_profile
    if profile in ("", _UNCONFINED):
        return ""
    if not host.confines_by_app_armor:
        raise InvalidConfiguration(
            f"the AppArmor profile {profile!r} can't be used: this kernel has no AppArmor"
        )
    return profile


def _linux(
    configuration: ContainerConfiguration,
    host: HostFacts,
    granted: frozenset[str],
    surroundings: Surroundings,
    cgroup: str,
) -> dict[str, Any]:
    bounds = resources(
        configuration.limits,
        surroundings.block_devices,
        accounts_swap=host.accounts_swap,
        version=host.control_group_version,
    )
    rules = devices.access_rules(
        surroundings.devices, configuration.device_rules, every=configuration.privileged
    )
    usual = not configuration.privileged
    masked = USUAL_MASKED_PATHS if usual else ()
    read_only = USUAL_READ_ONLY_PATHS if usual else ()
    linux: dict[str, Any] = {
        "cgroupsPath": f"/{cgroup}",
        "namespaces": namespace_list(configuration, surroundings.shared),
        "resources": {"devices": list(rules), **bounds},
    }
    optional = {
        "maskedPaths": _paths(configuration.masked_paths, masked),
        "readonlyPaths": _paths(configuration.read_only_paths, read_only),
        "devices": devices.documents(surroundings.devices),
        "sysctl": checked_sysctls(configuration),
        "rootfsPropagation": root_propagation(configuration),
        "uidMappings": _identifier_maps(configuration.uid_maps),
        "gidMappings": _identifier_maps(configuration.gid_maps),
        "intelRdt": cdi_documents.intel_rdt(surroundings.edits),
        "seccomp": _seccomp(configuration, host, granted),
    }
    return linux | {name: member for name, member in optional.items() if member}


def _paths(wanted: tuple[str, ...] | None, usual: tuple[str, ...]) -> list[str]:
    return list(usual if wanted is None else wanted)


def _identifier_maps(maps: tuple[Any, ...]) -> list[dict[str, int]]:
    return [
        {"containerID": each.inside, "hostID": each.outside, "size": each.count} for each in maps
    ]


def _seccomp(
    configuration: ContainerConfiguration, host: HostFacts, granted: frozenset[str]
) -> dict[str, Any] | None:
    """Privileged containers have no profile unless one of their own is given."""
    profile = configuration.seccomp_profile
    if profile == _UNCONFINED or _has_no_profile(configuration):
        return None
    if profile == "default":
        return seccomp.default_profile(granted)
    if not profile.lstrip().startswith("{"):
        raise InvalidConfiguration(
            f"the seccomp profile {profile[:100]!r} is not known; use 'default', 'unconfined' "
            "or a profile as a JSON document"
        )
    return seccomp_document(profile, granted, SeccompHost(host.machine, host.kernel_release))


def _has_no_profile(configuration: ContainerConfiguration) -> bool:
    return configuration.privileged and configuration.seccomp_profile == "default"


def _annotations(configuration: ContainerConfiguration, granted: frozenset[str]) -> dict[str, str]:
    """crun takes the compiled filter from here; other runtimes compile the profile themselves."""
    if configuration.seccomp_profile != "default" or configuration.privileged:
        return {}
    program = seccomp.default_program(granted)
    return {_PROGRAM_ANNOTATION: base64.b64encode(program).decode()} if program else {}
