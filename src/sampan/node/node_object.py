"""The Node object as the API shows it: labels, capacity, addresses, conditions. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from sampan.node.pod_status import timestamp
from sampan.node.pod_view import Condition
from sampan.node.settings import AgentSettings

Object = dict[str, Any]
CONTROL_PLANE_NODE = 1


class Readiness(msgspec.Struct, frozen=True):
    """Whether the node can run pods; `message` tells why not."""

    ready: bool
    message: str = ""


def labels(settings: AgentSettings) -> dict[str, str]:
    found = {
        "kubernetes.io/hostname": settings.node_name,
        "kubernetes.io/os": settings.operating_system,
        "kubernetes.io/arch": settings.architecture,
        "beta.kubernetes.io/os": settings.operating_system,
        "beta.kubernetes.io/arch": settings.architecture,
    }
    if settings.node_number == CONTROL_PLANE_NODE:
        found["node-role.kubernetes.io/control-plane"] = "true"
    return found


def capacity(settings: AgentSettings) -> dict[str, str]:
    cores, millis = divmod(settings.cpu_millis, 1000)
    found = {
        "cpu": f"{settings.cpu_millis}m" if millis else str(cores),
        "memory": f"{settings.memory // 1024}Ki",
        "pods": str(settings.pods),
    }
    if settings.ephemeral_storage:
        found["ephemeral-storage"] = f"{settings.ephemeral_storage // 1024}Ki"
    return found


def allocatable(settings: AgentSettings) -> dict[str, Decimal]:
    """What pods may ask for together, in base units."""
    found = {
        "cpu": Decimal(settings.cpu_millis) / 1000,
        "memory": Decimal(settings.memory // 1024 * 1024),
        "pods": Decimal(settings.pods),
    }
    if settings.ephemeral_storage:
        found["ephemeral-storage"] = Decimal(settings.ephemeral_storage)
    return found


def new_node(settings: AgentSettings) -> Object:
    """The object that a node registers itself with."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": settings.node_name, "labels": labels(settings)},
        "spec": {},
    }


def node_status(
    settings: AgentSettings, readiness: Readiness, held: tuple[Condition, ...], now: float
) -> Object:
    """The whole status; `held` are the conditions that the API has now."""
    amounts = capacity(settings)
    return {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [
            {"type": "InternalIP", "address": str(settings.node_address)},
            {"type": "Hostname", "address": settings.node_name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": settings.instance.kubelet_port}},
        "nodeInfo": node_information(settings),
        "conditions": conditions(readiness, held, now),
    }


def node_information(settings: AgentSettings) -> Mapping[str, str]:
    return {
        "architecture": settings.architecture,
        "bootID": settings.boot_identifier,
        "containerRuntimeVersion": f"sampan://{settings.version.rpartition('sampan.')[2]}",
        "kernelVersion": settings.kernel_version,
        "kubeProxyVersion": "",
        "kubeletVersion": settings.version,
        "machineID": settings.machine_identifier,
        "operatingSystem": settings.operating_system,
        "osImage": settings.operating_system_image,
        "systemUUID": settings.machine_identifier,
    }


def conditions(
    readiness: Readiness, held: tuple[Condition, ...], now: float
) -> list[dict[str, str]]:
    wanted = [
        ("MemoryPressure", False, "KubeletHasSufficientMemory", "the node has enough memory"),
        ("DiskPressure", False, "KubeletHasNoDiskPressure", "the node has enough disk space"),
        ("PIDPressure", False, "KubeletHasSufficientPID", "the node has enough process ids"),
        ("Ready", readiness.ready, *_why(readiness)),
    ]
    before = {item.type: item for item in held}
    found: list[dict[str, str]] = []
    for kind, truth, reason, message in wanted:
        status = "True" if truth else "False"
        old = before.get(kind)
        since = old.last_transition_time if old and old.status == status else None
        found.append(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": timestamp(now),
                "lastTransitionTime": since or timestamp(now),
            }
        )
    return found


def _why(readiness: Readiness) -> tuple[str, str]:
    if readiness.ready:
        return "KubeletReady", "the node is ready to run pods"
    return "KubeletNotReady", readiness.message
