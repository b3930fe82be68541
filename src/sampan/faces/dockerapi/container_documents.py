"""A container as `GET /containers/{id}/json` and `/containers/json` tell of it. Pure.

Sources: the Engine API's schemas `ContainerInspectResponse` and `ContainerSummary`, and the API's
version history for what came and went.
"""

from typing import Any

from sampan.engine.containers.configuration import EndpointSettings, tree_of
from sampan.engine.containers.contract import ContainerDetail, Sizes
from sampan.faces.dockerapi import container_state, times
from sampan.faces.dockerapi.versions import Version

SHORT = 12


def inspection(
    container: ContainerDetail, version: Version, sizes: Sizes | None = None
) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "Id": container.identifier,
        "Created": times.written(container.created),
        "Path": container.path,
        "Args": list(container.arguments),
        "State": container_state.document(container.state),
        "Image": container.image,
        "ResolvConfPath": container.resolv_conf_path,
        "HostnamePath": container.hostname_path,
        "HostsPath": container.hosts_path,
        "LogPath": container.log_path,
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlay2",
        "Platform": container.platform.partition("/")[0] or "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": list(container.exec_identifiers) or None,
        "HostConfig": _host_configuration(container, version),
        "GraphDriver": _graph_driver(container),
    }
    if sizes is not None:
        tree |= {"SizeRw": sizes.written, "SizeRootFs": sizes.total}
    tree["Mounts"] = [tree_of(mount) for mount in container.mounts]
    tree["Config"] = _configuration(container, version)
    tree["NetworkSettings"] = _network_settings(container, version)
    return tree


def _host_configuration(container: ContainerDetail, version: Version) -> dict[str, Any]:
    tree: dict[str, Any] = tree_of(container.host)
    if version < (1, 42):
        tree.setdefault("KernelMemory", 0)
        tree.setdefault("KernelMemoryTCP", 0)
    if version >= (1, 52):
        tree.pop("KernelMemoryTCP", None)
    return tree


def _configuration(container: ContainerDetail, version: Version) -> dict[str, Any]:
    tree: dict[str, Any] = tree_of(container.configuration)
    if version >= (1, 52):
        if not tree.get("OnBuild"):
            tree.pop("OnBuild", None)
        tree.pop("MacAddress", None)
    return tree


def _graph_driver(container: ContainerDetail) -> dict[str, Any]:
    data = {
        "LowerDir": ":".join(container.layers),
        "MergedDir": container.root,
        "UpperDir": container.upper,
        "WorkDir": container.work,
    }
    return {"Name": "overlay2", "Data": data}


def _network_settings(container: ContainerDetail, version: Version) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "SandboxID": container.sandbox_identifier,
        "SandboxKey": container.sandbox_path,
        "Ports": {
            port: [tree_of(binding) for binding in bindings] if bindings is not None else None
            for port, bindings in container.ports.items()
        },
    }
    if version < (1, 52):
        tree |= _old_network_settings(container)
    tree["Networks"] = {
        name: endpoint_tree(endpoint, container.identifier, version)
        for name, endpoint in container.networks.items()
    }
    return tree


def _old_network_settings(container: ContainerDetail) -> dict[str, Any]:
    """What was told of the default bridge alone, when there was no other network."""
    bridge = container.networks.get("bridge", EndpointSettings())
    return {
        "Bridge": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": bridge.endpoint_identifier,
        "Gateway": bridge.gateway,
        "GlobalIPv6Address": bridge.global_ipv6_address,
        "GlobalIPv6PrefixLen": bridge.global_ipv6_prefix_length,
        "IPAddress": bridge.ip_address,
        "IPPrefixLen": bridge.ip_prefix_length,
        "IPv6Gateway": bridge.ipv6_gateway,
        "MacAddress": bridge.mac_address,
    }


def endpoint_tree(endpoint: EndpointSettings, container: str, version: Version) -> dict[str, Any]:
    """Before 1.45 a container's short identifier was among its aliases."""
    tree: dict[str, Any] = tree_of(endpoint)
    short = container[:SHORT]
    if version < (1, 48):
        tree.pop("GwPriority", None)
    if version < (1, 44):
        tree.pop("DNSNames", None)
    if version < (1, 45) and endpoint.dns_names and short in endpoint.dns_names:
        tree["Aliases"] = [*(endpoint.aliases or ()), short]
    return tree


def summary(
    container: ContainerDetail,
    image_name: str,
    version: Version,
    now: int,
    sizes: Sizes | None = None,
) -> dict[str, Any]:
    host: dict[str, Any] = {"NetworkMode": container.host.network_mode or "default"}
    if version >= (1, 46) and container.host.annotations:
        host["Annotations"] = container.host.annotations
    tree: dict[str, Any] = {
        "Id": container.identifier,
        "Names": [f"/{container.name}"],
        "Image": image_name,
        "ImageID": container.image,
        "Command": _command(container),
        "Created": container.created // times.SECOND,
        "Ports": ports(container),
    }
    if sizes is not None:
        tree |= {"SizeRw": sizes.written} if sizes.written else {}
        tree["SizeRootFs"] = sizes.total
    return tree | {
        "Labels": container.configuration.labels or {},
        "State": container.state.phase,
        "Status": container_state.sentence(container.state, now),
        "HostConfig": host,
        "NetworkSettings": {
            "Networks": {
                name: endpoint_tree(endpoint, container.identifier, version)
                for name, endpoint in container.networks.items()
            }
        },
        "Mounts": [tree_of(mount) for mount in container.mounts],
    }


def _command(container: ContainerDetail) -> str:
    words = [f"'{word}'" if " " in word else word for word in container.arguments]
    return " ".join([container.path, *words])


def ports(container: ContainerDetail) -> list[dict[str, Any]]:
    """Published and exposed ports, one entry an address."""
    found: list[dict[str, Any]] = []
    for port, bindings in container.ports.items():
        number, _, protocol = port.partition("/")
        entry = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        if not bindings:
            found.append(entry)
        for binding in bindings or ():
            public = {"PublicPort": int(binding.host_port)} if binding.host_port else {}
            address = {"IP": binding.host_address} if binding.host_address else {}
            found.append({**address, **entry, **public})
    return found
