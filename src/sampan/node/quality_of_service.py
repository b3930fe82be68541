"""A pod's quality-of-service class, and its resources in the kernel's terms. Pure.

The quantities were validated by the API; rules as in the Kubernetes documentation
"Pod Quality of Service Classes" and "Resource Management for Pods and Containers".
"""

from decimal import ROUND_CEILING, Decimal

from sampan.engine.configuration import Limits
from sampan.kubernetes.machinery import quantities
from sampan.kubernetes.machinery.pod_resources import Amounts, added, larger, most_at_once
from sampan.node.pod_view import Container, PodSpec, ResourceRequirements

CPU_PERIOD = 100_000
SMALLEST_QUOTA = 1_000
SMALLEST_SHARES = 2
LARGEST_SHARES = 262_144


def amount(value: str | int | float) -> Decimal:
    """A quantity in its base unit: cores, bytes."""
    return quantities.parse(value)


def whole(value: str | int | float) -> int:
    """A quantity rounded up to a whole number of its base unit."""
    return int(amount(value).to_integral_value(ROUND_CEILING))


def quality_of_service(spec: PodSpec) -> str:
    """BestEffort without any cpu or memory; Guaranteed with equal limits everywhere."""
    containers = spec.init_containers + spec.containers
    if not any(_named(item.resources) for item in containers):
        return "BestEffort"
    if all(_is_guaranteed(item.resources) for item in containers):
        return "Guaranteed"
    return "Burstable"


def _named(resources: ResourceRequirements) -> bool:
    given = {**resources.requests, **resources.limits}
    return any(amount(given[name]) > 0 for name in ("cpu", "memory") if name in given)


def _is_guaranteed(resources: ResourceRequirements) -> bool:
    return all(
        name in resources.limits
        and amount(resources.requests.get(name, resources.limits[name]))
        == amount(resources.limits[name])
        for name in ("cpu", "memory")
    )


def container_limits(container: Container, pids: int) -> Limits:
    """CPU quota and shares, memory and pids of one container."""
    limits, requests = container.resources.limits, container.resources.requests
    cores = amount(limits["cpu"]) if "cpu" in limits else Decimal(0)
    quota = max(int(cores * CPU_PERIOD), SMALLEST_QUOTA) if cores else 0
    asked = amount(requests.get("cpu", limits.get("cpu", "0")))
    shares = min(max(int(asked * 1024), SMALLEST_SHARES), LARGEST_SHARES)
    memory = whole(limits["memory"]) if "memory" in limits else 0
    return Limits(cpu_quota=quota, cpu_shares=shares, memory=memory, pids=pids)


def pod_requests(spec: PodSpec) -> Amounts:
    """What a pod asks of its node: the most that its containers need at once."""
    return most_at_once(
        ((it.is_sidecar, _asked(it)) for it in spec.init_containers),
        (_asked(it) for it in spec.containers),
        nothing={},
        add=added,
        larger=larger,
    )


def _asked(container: Container) -> Amounts:
    given = {**container.resources.limits, **container.resources.requests}
    return {name: amount(value) for name, value in given.items()}
