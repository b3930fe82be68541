"""What is there before anybody has written anything: namespaces, roles, the API's own services.

Every start puts in place what is missing and gives back to the default roles the rules that
they lack; what people added stays.
"""

import asyncio
from collections.abc import Iterable
from importlib import resources
from typing import Any

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import ADMINISTRATORS
from sampan.control.api.authorization.rules import PolicyRule, uncovered
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.settings import ApiSettings
from sampan.control.api.writer import Writer
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ENDPOINT_SLICES,
    NAMESPACES,
    SERVICES,
    Resource,
)

NAMES = ("default", "kube-system", "kube-public", "kube-node-lease")
IDENTITY = Identity(name="system:apiserver", groups=(ADMINISTRATORS,))
_ROLE_GROUP = "rbac.authorization.k8s.io"
_ROLE_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_ALREADY_EXISTS = "AlreadyExists"


class _Role(msgspec.Struct, rename="camel"):
    name: str
    labels: dict[str, str] = {}
    rules: list[dict[str, Any]] = []
    aggregation_rule: dict[str, Any] | None = None


class _Binding(msgspec.Struct):
    name: str
    role: str
    subjects: list[dict[str, str]]


class _Defaults(msgspec.Struct, rename="camel"):
    cluster_roles: list[_Role]
    cluster_role_bindings: list[_Binding]


class Bootstrap:
    """Writes through the same stages as everyone, as the server itself."""

    def __init__(self, writer: Writer, cache: WatchCache, settings: ApiSettings) -> None:
        self._writer = writer
        self._cache = cache
        self._settings = settings

    async def run(self) -> None:
        """Idempotent. Raises Refused when the server's own objects are refused."""
        await self._ensure_all((NAMESPACES, _object(NAMESPACES, name)) for name in NAMES)
        packed = resources.files(__package__).joinpath("bootstrap_roles.json").read_bytes()
        defaults = msgspec.json.decode(packed, type=_Defaults)
        roles = [(CLUSTER_ROLES, _role(role)) for role in defaults.cluster_roles]
        bindings = [(CLUSTER_ROLE_BINDINGS, _binding(it)) for it in defaults.cluster_role_bindings]
        await self._ensure_all([*roles, *bindings, *self._services()])
        await asyncio.gather(*(self._complete(role) for role in defaults.cluster_roles))

    async def _ensure_all(self, objects: Iterable[tuple[Resource, Object]]) -> None:
        await asyncio.gather(*(self._ensure(resource, tree) for resource, tree in objects))

    async def _ensure(self, resource: Resource, tree: Object) -> None:
        metadata = tree["metadata"]
        namespace = metadata.get("namespace", "")
        if self._cache.of(resource).get(f"{namespace}/{metadata['name']}") is not None:
            return
        try:
            await self._writer.create(Write(BY_RESOURCE[resource], IDENTITY, namespace, new=tree))
        except Refused as refusal:
            if refusal.status.get("reason") != _ALREADY_EXISTS:
                raise

    async def _complete(self, role: _Role) -> None:
        """Add rules that a default role lacks, unless its owner opted out."""
        kind, key = BY_RESOURCE[CLUSTER_ROLES], f"/{role.name}"
        wanted = msgspec.convert(role.rules, tuple[PolicyRule, ...])

        def change(stored: StoredObject) -> Write:
            old, new = stored.decoded(), stored.decoded()
            present = msgspec.convert(new.get("rules") or [], tuple[PolicyRule, ...])
            missing = [msgspec.to_builtins(rule) for rule in uncovered(present, wanted)]
            if (new["metadata"].get("annotations") or {}).get(_AUTOUPDATE) == "true" and missing:
                added = [{name: it[name] for name in it if it[name]} for it in missing]
                new["rules"] = [*(new.get("rules") or ()), *added]
            return Write(kind, IDENTITY, "", new=new, old=old)

        if self._cache.of(CLUSTER_ROLES).get(key) is not None:
            await self._writer.update(kind, key, change)

    def _services(self) -> list[tuple[Resource, Object]]:
        settings = self._settings
        api = _object(SERVICES, "kubernetes", "default")
        api["metadata"]["labels"] = {"component": "apiserver", "provider": "kubernetes"}
        api["spec"] = {
            "clusterIP": str(settings.kubernetes_service_address),
            "ports": [{"name": "https", "port": 443, "targetPort": settings.port}],
        }
        slices = _object(ENDPOINT_SLICES, "kubernetes", "default")
        slices["metadata"]["labels"] = {"kubernetes.io/service-name": "kubernetes"}
        slices["addressType"] = "IPv4"
        slices["endpoints"] = [
            {
                "addresses": [str(settings.advertised_address)],
                "conditions": {"ready": True},
            }
        ]
        slices["ports"] = [{"name": "https", "port": settings.port, "protocol": "TCP"}]
        dns = _object(SERVICES, "kube-dns", "kube-system")
        dns["metadata"]["labels"] = {"k8s-app": "kube-dns"}
        dns["spec"] = {
            "clusterIP": str(settings.dns_service_address),
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
        }
        return [(SERVICES, api), (ENDPOINT_SLICES, slices), (SERVICES, dns)]


def _object(resource: Resource, name: str, namespace: str = "") -> Object:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": metadata}


def _role(role: _Role) -> Object:
    tree = _object(CLUSTER_ROLES, role.name)
    tree["metadata"] |= {
        "labels": _ROLE_LABELS | role.labels,
        "annotations": {_AUTOUPDATE: "true"},
    }
    tree["rules"] = [dict(rule) for rule in role.rules]
    if role.aggregation_rule is not None:
        tree["aggregationRule"] = role.aggregation_rule
    return tree


def _binding(binding: _Binding) -> Object:
    tree = _object(CLUSTER_ROLE_BINDINGS, binding.name)
    tree["metadata"] |= {"labels": dict(_ROLE_LABELS), "annotations": {_AUTOUPDATE: "true"}}
    tree["roleRef"] = {"apiGroup": _ROLE_GROUP, "kind": "ClusterRole", "name": binding.role}
    tree["subjects"] = [
        it if it["kind"] == "ServiceAccount" else {**it, "apiGroup": _ROLE_GROUP}
        for it in binding.subjects
    ]
    return tree
