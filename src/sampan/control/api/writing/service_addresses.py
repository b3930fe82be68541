"""Addresses and node ports of services: who has which, and the next free one.

Theory: what is taken is told by the cache's events, plus what is reserved by writes that are
not committed yet. Choosing and reserving happen without waiting, so two creates at once never
get the same; a reservation ends with its write, when the cache knows the outcome.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import AddressValueError, IPv4Address
from random import Random

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.settings import ApiSettings
from sampan.kubernetes.kinds.kind import Cause, Kind, Object
from sampan.kubernetes.kinds.resource import SERVICES
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import invalid

_HEADLESS = "None"
_FAMILY = "IPv4"
_NODE_PORT_TYPES = ("NodePort", "LoadBalancer")
# The first addresses are for services that ask for one of their own, as Kubernetes keeps them.
_STATIC_ADDRESSES = 256


class _Port(msgspec.Struct, rename="camel"):
    node_port: int = 0


class _Spec(
    msgspec.Struct,
    rename={"cluster_ip": "clusterIP", "health_check_node_port": "healthCheckNodePort"},
):
    cluster_ip: str = ""
    ports: tuple[_Port, ...] = ()
    health_check_node_port: int = 0


class _Service(msgspec.Struct):
    spec: _Spec


_decode = msgspec.json.Decoder(_Service).decode
_Key = str | int


class ServiceAddresses:
    """The allocator of one cluster. An address is known by its text, a port by its number."""

    def __init__(self, cache: WatchCache, settings: ApiSettings, random: Random) -> None:
        self._range = settings.service_range
        self._ports = settings.node_ports
        self._random = random
        self._taken: dict[_Key, str] = {}
        self._reserved: set[_Key] = set()
        cache.on_event(self._note, SERVICES)

    def load(self, services: Iterator[StoredObject]) -> None:
        """Take in the services that are there when the server starts."""
        for stored in services:
            self._taken |= dict.fromkeys(_held(stored), stored.key)

    @contextmanager
    def reserved(self, write: Write) -> Iterator[None]:
        """Give the service what it needs, for the time of its write.

        Raises Refused (422) when what it asks for is taken or out of range, or nothing is free.
        """
        kept: list[_Key] = []
        try:
            if write.new is not None:
                self._allocate(write, write.new, kept)
            yield
        finally:
            self._reserved.difference_update(kept)

    def _allocate(self, write: Write, service: Object, kept: list[_Key]) -> None:
        spec = service["spec"]
        owner = f"{write.namespace}/{service['metadata']['name']}"
        causes = _family_causes(spec, (write.old or {}).get("spec") or {})
        if spec.get("type") != "ExternalName" and spec.get("clusterIP") != _HEADLESS:
            self._allocate_address(spec, owner, kept, causes)
        if spec.get("type") in _NODE_PORT_TYPES:
            wanted = spec.get("allocateLoadBalancerNodePorts") is not False
            for index, port in enumerate(spec.get("ports") or ()):
                if wanted or port.get("nodePort"):
                    field = f"spec.ports[{index}].nodePort"
                    asked = port.get("nodePort", 0)
                    port["nodePort"] = self._port_for(asked, field, owner, kept, causes)
        if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            asked, field = spec.get("healthCheckNodePort", 0), "spec.healthCheckNodePort"
            spec["healthCheckNodePort"] = self._port_for(asked, field, owner, kept, causes)
        if causes:
            name = service["metadata"]["name"]
            raise Refused(status.invalid("", SERVICES.kind, name, causes))

    def _allocate_address(
        self, spec: Object, owner: str, kept: list[_Key], causes: list[Cause]
    ) -> None:
        asked = spec.get("clusterIP")
        if not asked:
            spec["clusterIP"] = self._free_address(kept)
            spec["clusterIPs"] = [spec["clusterIP"]]
            return
        problem = self._address_problem(asked)
        if not problem and not self._hold(asked, owner, kept):
            problem = "failed to allocate IP " + asked + ": provided IP is already allocated"
        if problem:
            causes.append(invalid("spec.clusterIPs", [asked], problem))

    def _address_problem(self, asked: str) -> str:
        try:
            inside = IPv4Address(asked) in self._range
        except AddressValueError:
            return "must be a valid IP address"
        if inside:
            return ""
        return (
            f"failed to allocate IP {asked}: the provided IP is not in the valid range. "
            f"The range of valid IPs is {self._range}"
        )

    def _port_for(
        self, asked: int, field: str, owner: str, kept: list[_Key], causes: list[Cause]
    ) -> int:
        """A port of the nodes: the one that is asked for, else a free one."""
        low, high = self._ports
        # TCP and UDP of one service may share the number of a node port.
        if not asked:
            return self._free_port(kept)
        if not low <= asked <= high:
            detail = (
                f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
            )
            causes.append(invalid(field, asked, detail))
        elif asked not in kept and not self._hold(asked, owner, kept):
            causes.append(invalid(field, asked, "provided port is already allocated"))
        return asked

    def _hold(self, key: _Key, owner: str, kept: list[_Key]) -> bool:
        """Reserve what was asked for. What the same service has already stays its own, also
        while several writers change it: only one of them can commit."""
        holder = self._taken.get(key)
        if holder == owner:
            return True
        if holder is not None or key in self._reserved:
            return False
        self._reserved.add(key)
        kept.append(key)
        return True

    def _free_address(self, kept: list[_Key]) -> str:
        size = self._range.num_addresses - 1
        first = min(_STATIC_ADDRESSES, size // 2)
        start = self._random.randrange(first, size)
        for offset in range(size - 1):
            candidate = str(self._range[1 + (start + offset - 1) % (size - 1)])
            if self._take(candidate, kept):
                return candidate
        raise Refused(status.failure(500, "InternalError", "no free address is left for services"))

    def _free_port(self, kept: list[_Key]) -> int:
        low, high = self._ports
        start = self._random.randrange(high - low + 1)
        for offset in range(high - low + 1):
            candidate = low + (start + offset) % (high - low + 1)
            if self._take(candidate, kept):
                return candidate
        raise Refused(status.failure(500, "InternalError", "no free node port is left"))

    def _take(self, key: _Key, kept: list[_Key]) -> bool:
        if key in self._taken or key in self._reserved:
            return False
        self._reserved.add(key)
        kept.append(key)
        return True

    def _note(self, _kind: Kind, event: CacheEvent) -> None:
        if event.old is not None:
            for key in _held(event.old):
                self._taken.pop(key, None)
        if event.new is not None:
            self._taken |= dict.fromkeys(_held(event.new), event.new.key)


def _family_causes(spec: Object, before: Object) -> list[Cause]:
    """The services of this cluster have addresses of IPv4; endpoints that others write for a
    service without an address may be of any family. What was let in before stays."""
    if spec.get("type") == "ExternalName" or (
        spec.get("clusterIP") == _HEADLESS and not spec.get("selector")
    ):
        return []
    causes = [
        invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(spec.get("ipFamilies") or ())
        if family != _FAMILY and family not in (before.get("ipFamilies") or ())
    ]
    policy = spec.get("ipFamilyPolicy")
    if policy == "RequireDualStack" and policy != before.get("ipFamilyPolicy"):
        detail = "this cluster is not configured for dual-stack services"
        causes.append(invalid("spec.ipFamilyPolicy", policy, detail))
    return causes


def _held(stored: StoredObject) -> list[_Key]:
    spec = _decode(stored.data).spec
    numbers = (*(port.node_port for port in spec.ports), spec.health_check_node_port)
    held: list[_Key] = [number for number in numbers if number]
    if spec.cluster_ip and spec.cluster_ip != _HEADLESS:
        held.append(spec.cluster_ip)
    return held
