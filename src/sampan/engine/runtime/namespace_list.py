"""Which namespaces a container has of its own, and which it enters: pure.

Source: the OCI runtime specification 1.1, config-linux, "Namespaces".
"""

from collections.abc import Iterator

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime.surroundings import SharedNamespaces


def namespace_list(
    configuration: ContainerConfiguration, shared: SharedNamespaces
) -> list[dict[str, str]]:
    """The `linux.namespaces` member; one that is left out is the host's."""
    if configuration.uid_maps and configuration.privileged:
        raise InvalidConfiguration(
            "privileged mode is incompatible with user namespaces. "
            "You must run the container in the host namespace when running privileged mode"
        )
    if bool(configuration.uid_maps) != bool(configuration.gid_maps):
        raise InvalidConfiguration("a user namespace needs maps of users and of groups")
    return list(_namespaces(configuration, shared))


def _namespaces(
    configuration: ContainerConfiguration, shared: SharedNamespaces
) -> Iterator[dict[str, str]]:
    yield {"type": "mount"}
    if shared.ipc:
        yield {"type": "ipc", "path": shared.ipc}
    elif configuration.ipc_mode != "host":
        yield {"type": "ipc"}
    if not configuration.host_uts_namespace:
        yield {"type": "uts"}
    if not configuration.host_cgroup_namespace:
        yield {"type": "cgroup"}
    if shared.processes:
        yield {"type": "pid", "path": shared.processes}
    elif not configuration.host_process_namespace:
        yield {"type": "pid"}
    if configuration.network_namespace not in ("", "host"):
        yield {"type": "network", "path": configuration.network_namespace}
    elif not configuration.network_namespace:
        yield {"type": "network"}
    if configuration.uid_maps:
        yield {"type": "user"}
