"""Tells for every Service with a selector where its pods are, in EndpointSlices.

A pod that is being deleted, or not ready, is withdrawn at once (ready = false). Endpoints stay
in the slice where they are, so that one change of a pod rewrites one slice. The rules are those
of KEP-752 (slices) and KEP-1672 (terminating endpoints).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import (
    Circumstances,
    Controller,
    Watch,
    key_of,
    keys_of_self,
)
from sampan.control.controllers.views import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Pod,
    Service,
    ServicePort,
    TargetReference,
)
from sampan.kubernetes.kinds.resource import ENDPOINT_SLICES, SERVICES

ACCOUNT = COMPONENT = "endpointslice-controller"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
LARGEST_SLICE = 100

Ports = tuple[EndpointPort, ...]
Group = tuple[str, Ports]


class Snapshot(msgspec.Struct, frozen=True):
    """`pods` are those of the namespace that the Service's selector matches."""

    service: Service
    pods: tuple[Pod, ...]
    slices: tuple[EndpointSlice, ...]


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Change the slices so that together they say where the pods are now."""
    service = snapshot.service
    if service.metadata.deletion_timestamp is not None or not _is_served(service):
        return plans.Plan(actions=tuple(_removal(each) for each in snapshot.slices))
    wanted = _endpoints(service, snapshot.pods)
    actions: list[plans.Action] = []
    kept: dict[Group, list[EndpointSlice]] = defaultdict(list)
    for each in sorted(snapshot.slices, key=lambda each: each.metadata.name):
        group = (each.address_type, each.ports or ())
        if group in wanted and each.metadata.deletion_timestamp is None:
            kept[group].append(each)
        elif each.metadata.deletion_timestamp is None:
            actions.append(_removal(each))
    for group, endpoints in wanted.items():
        actions.extend(_reconcile(service, group, endpoints, kept[group]))
    return plans.Plan(actions=tuple(actions))


def _is_served(service: Service) -> bool:
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def _endpoints(service: Service, pods: tuple[Pod, ...]) -> dict[Group, dict[str, Endpoint]]:
    """The endpoints by address type and ports, then by the pod's uid. A Service without any
    has one empty group, so that it has a slice all the same."""
    groups: dict[Group, dict[str, Endpoint]] = defaultdict(dict)
    families = service.spec.ip_families or ("IPv4",)
    for pod in pods:
        ports = tuple(_port(port, pod) for port in service.spec.ports)
        known = tuple(port for port in ports if port is not None)
        if pod.is_finished or (ports and not known):
            continue
        for address in _addresses(pod):
            family = f"IPv{ip_address(address).version}"
            if family in families:
                groups[family, known][pod.metadata.uid] = _endpoint(service, pod, address)
    for family in families:
        if not any(group[0] == family for group in groups):
            groups[family, ()] = {}
    return groups


def _addresses(pod: Pod) -> Iterable[str]:
    if pod.status.pod_ips:
        return [address.ip for address in pod.status.pod_ips if address.ip]
    return [pod.status.pod_ip] if pod.status.pod_ip else []


def _port(port: ServicePort, pod: Pod) -> EndpointPort | None:
    number: int | None
    target = port.target_port
    if target is None or target == 0:
        number = port.port
    elif isinstance(target, int):
        number = target
    else:
        number = _named_port(pod, target, port.protocol)
    if number is None:
        return None
    return EndpointPort(
        name=port.name, protocol=port.protocol, port=number, app_protocol=port.app_protocol
    )


def _named_port(pod: Pod, name: str, protocol: str) -> int | None:
    ports = (port for container in pod.spec.containers for port in container.ports)
    return next(
        (port.container_port for port in ports if (port.name, port.protocol) == (name, protocol)),
        None,
    )


def _endpoint(service: Service, pod: Pod, address: str) -> Endpoint:
    terminating = pod.metadata.deletion_timestamp is not None
    ready = service.spec.publish_not_ready_addresses or (pod.is_ready and not terminating)
    in_domain = pod.spec.hostname and pod.spec.subdomain == service.metadata.name
    return Endpoint(
        addresses=(address,),
        conditions=EndpointConditions(ready=ready, serving=pod.is_ready, terminating=terminating),
        hostname=pod.spec.hostname if in_domain else None,
        node_name=pod.spec.node_name or None,
        target_ref=TargetReference(
            kind="Pod",
            namespace=pod.metadata.namespace,
            name=pod.metadata.name,
            uid=pod.metadata.uid,
        ),
    )


def _reconcile(
    service: Service, group: Group, endpoints: dict[str, Endpoint], slices: list[EndpointSlice]
) -> Iterable[plans.Action]:
    """Renew the endpoints where they are, fill up slices that have room, and make new ones."""
    contents = _stay(endpoints, slices)
    placed = {uid for content in contents for uid in content}
    waiting = {uid: each for uid, each in endpoints.items() if uid not in placed}
    for content in contents:
        while waiting and len(content) < LARGEST_SLICE:
            uid, endpoint = waiting.popitem()
            content[uid] = endpoint
    uses = any(contents) or bool(waiting)
    for index, (each, content) in enumerate(zip(slices, contents, strict=True)):
        if not content and (uses or index):
            yield _removal(each)
        elif tuple(content.values()) != (each.endpoints or ()) or _labels_differ(service, each):
            yield _renewal(service, each, content)
    rest = list(waiting.values())
    for start in range(0, len(rest), LARGEST_SLICE):
        yield _creation(service, group, rest[start : start + LARGEST_SLICE])
    if not slices and not rest:
        yield _creation(service, group, [])


def _stay(endpoints: dict[str, Endpoint], slices: list[EndpointSlice]) -> list[dict[str, Endpoint]]:
    contents: list[dict[str, Endpoint]] = []
    seen: set[str] = set()
    for each in slices:
        content: dict[str, Endpoint] = {}
        for present in each.endpoints or ():
            uid = present.target_ref.uid if present.target_ref is not None else ""
            if uid in endpoints and uid not in seen:
                content[uid] = endpoints[uid]
                seen.add(uid)
        contents.append(content)
    return contents


def _labels(service: Service) -> dict[str, str]:
    labels = dict(service.metadata.labels)
    labels[SERVICE_NAME] = service.metadata.name
    labels[MANAGED_BY] = MANAGER
    if service.spec.cluster_ip == "None":
        labels[HEADLESS] = ""
    return labels


def _labels_differ(service: Service, each: EndpointSlice) -> bool:
    return each.metadata.labels != _labels(service)


def _plain(endpoints: Iterable[Endpoint]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in endpoints]


def _renewal(service: Service, each: EndpointSlice, content: dict[str, Endpoint]) -> plans.Patch:
    labels: dict[str, str | None] = dict(_labels(service))
    labels.update(dict.fromkeys(each.metadata.labels.keys() - labels.keys()))
    return plans.Patch(
        resource=ENDPOINT_SLICES,
        namespace=each.metadata.namespace,
        name=each.metadata.name,
        uid=each.metadata.uid,
        resource_version=each.metadata.resource_version,
        body={"metadata": {"labels": labels}, "endpoints": _plain(content.values())},
    )


def _creation(service: Service, group: Group, endpoints: list[Endpoint]) -> plans.Create:
    family, ports = group
    return plans.Create(
        resource=ENDPOINT_SLICES,
        namespace=service.metadata.namespace,
        body={
            "apiVersion": ENDPOINT_SLICES.group_version,
            "kind": ENDPOINT_SLICES.kind,
            "metadata": {
                "generateName": f"{service.metadata.name}-",
                "labels": _labels(service),
                "ownerReferences": [plans.owner_reference(SERVICES, service.metadata)],
            },
            "addressType": family,
            "endpoints": _plain(endpoints),
            "ports": [
                {
                    key: value
                    for key, value in msgspec.to_builtins(port).items()
                    if value is not None
                }
                for port in ports
            ],
        },
    )


def _removal(each: EndpointSlice) -> plans.Delete:
    return plans.deletion(ENDPOINT_SLICES, each.metadata)


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """A Service, its pods and the slices that are this controller's; None when it is gone (its
    slices then go as its dependents)."""
    service = caches.services.get(key)
    if service is None:
        return None
    wanted = service.spec.selector.items()
    pods = tuple(
        pod
        for pod in caches.pods.in_namespace(service.metadata.namespace)
        if wanted and wanted <= pod.metadata.labels.items()
    )
    slices = tuple(
        each
        for each in caches.endpoint_slices.indexed("service", key)
        if each.metadata.labels.get(MANAGED_BY) == MANAGER
    )
    return Snapshot(service, pods, slices)


def _keys_of_pod(caches: Caches, old: Pod | None, new: Pod | None) -> Iterable[str]:
    pod = new or old
    if pod is None or (old is not None and new is not None and _shows_same(old, new)):
        return ()
    views = [each for each in (old, new) if each is not None]
    return [
        key_of(service.metadata.namespace, service.metadata.name)
        for service in caches.services.in_namespace(pod.metadata.namespace)
        if service.spec.selector
        and any(service.spec.selector.items() <= each.metadata.labels.items() for each in views)
    ]


def _shows_same(old: Pod, new: Pod) -> bool:
    """Whether nothing that an endpoint shows has changed."""
    return (
        old.metadata.uid == new.metadata.uid
        and old.metadata.labels == new.metadata.labels
        and old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
        and old.spec.node_name == new.spec.node_name
        and old.status.pod_ips == new.status.pod_ips
        and old.is_ready == new.is_ready
        and old.is_finished == new.is_finished
    )


def _keys_of_slice(
    _caches: Caches, old: EndpointSlice | None, new: EndpointSlice | None
) -> Iterable[str]:
    each = new or old
    if each is None or each.metadata.labels.get(MANAGED_BY) != MANAGER:
        return ()
    return (key_of(each.metadata.namespace, each.metadata.labels.get(SERVICE_NAME, "")),)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.services, keys_of_self),
        Watch(lambda caches: caches.pods, _keys_of_pod),
        Watch(lambda caches: caches.endpoint_slices, _keys_of_slice),
    ),
    observe=observe,
    plan=plan,
)
