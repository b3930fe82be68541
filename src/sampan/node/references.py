"""What a container's environment and files may refer to, and the values found there. Pure.

References go to the pod itself (downward API), to resources, and to ConfigMaps and Secrets of
its namespace. A reference that leads nowhere raises MissingReference, unless it is optional.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

import msgspec

from sampan.node.cluster_view import Service, TrustBundle
from sampan.node.pod_view import Container, KeyReference, Pod, ResourceFieldReference
from sampan.node.quality_of_service import amount

Contents = Mapping[str, bytes]
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingReference(Exception):
    """A container can't be configured: the message says what it lacks."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The objects and facts round one pod; an object that doesn't exist isn't in its mapping."""

    pod_address: str
    host_address: str
    config_maps: Mapping[str, Contents] = {}
    secrets: Mapping[str, Contents] = {}
    trust_bundles: tuple[TrustBundle, ...] = ()
    services: tuple[Service, ...] = ()
    allocatable: Mapping[str, Decimal] = {}


def field_value(pod: Pod, path: str, around: Surroundings) -> str:
    """The value of a fieldRef; raises MissingReference for a path that isn't supported."""
    simple = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": around.host_address,
        "status.hostIPs": around.host_address,
        "status.podIP": around.pod_address,
        "status.podIPs": around.pod_address,
    }
    if path in simple:
        return simple[path]
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return _mapping(pod, subscript[1]).get(subscript[2], "")
    if path in {"metadata.labels", "metadata.annotations"}:
        return _listing(_mapping(pod, path.removeprefix("metadata.")))
    raise MissingReference(f"field path {path!r} is not supported")


def _mapping(pod: Pod, name: str) -> dict[str, str]:
    return pod.metadata.labels if name == "labels" else pod.metadata.annotations


def _listing(values: dict[str, str]) -> str:
    """One `key="escaped value"` a line, sorted, as the downward API writes maps."""
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(values.items()))


def _quoted(value: str) -> str:
    return msgspec.json.encode(value).decode()


def resource_value(
    pod: Pod, reference: ResourceFieldReference, container: Container | None, around: Surroundings
) -> str:
    """limits.cpu, requests.memory and so on, divided by the divisor and rounded up.

    A limit that isn't set is what the node has to give.
    """
    if reference.container_name:
        found = [item for item in pod.all_containers if item.name == reference.container_name]
        container = found[0] if found else None
    if container is None:
        raise MissingReference(f"container {reference.container_name!r} not found")
    side, _, name = reference.resource.partition(".")
    resources = container.resources
    given = resources.limits if side == "limits" else resources.requests
    if name in given:
        value = amount(given[name])
    elif side == "limits":
        value = around.allocatable.get(name, Decimal(0))
    else:
        value = Decimal(0)
    divisor = amount(reference.divisor) or Decimal(1)
    return str(int((value / divisor).to_integral_value(ROUND_CEILING)))


def key_value(
    reference: KeyReference, objects: Mapping[str, Contents], kind: str, namespace: str
) -> str | None:
    """The value of a key of a ConfigMap or Secret; None where it's optional and missing."""
    contents = objects.get(reference.name)
    if contents is None:
        if reference.optional:
            return None
        raise MissingReference(f'{kind} "{reference.name}" not found')
    if reference.key not in contents:
        if reference.optional:
            return None
        where = f"{namespace}/{reference.name}"
        raise MissingReference(f"couldn't find key {reference.key} in {kind.title()} {where}")
    return contents[reference.key].decode(errors="replace")
