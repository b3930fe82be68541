"""What a node's agent may do, beyond what roles give it: its own pods and what they use.

The rules follow Kubernetes' Node authorizer: writes are narrowed further by the
NodeRestriction admission, and a Secret or ConfigMap can be read only by the nodes that a pod
which uses it is bound to.
"""

from typing import Any

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.rules import PolicyRule
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery.selectors import FieldRequirement, FieldSelector

NODES_GROUP = "system:nodes"
_PREFIX = "system:node:"
_READ = ("get", "list", "watch")
_WRITE = ("create", "get", "update", "patch", "delete")

RULES = (
    PolicyRule(verbs=_READ, api_groups=("",), resources=("services", "nodes", "namespaces")),
    PolicyRule(verbs=_READ, api_groups=("discovery.k8s.io",), resources=("endpointslices",)),
    PolicyRule(verbs=("create",), api_groups=("",), resources=("nodes",)),
    PolicyRule(verbs=("update", "patch"), api_groups=("",), resources=("nodes", "nodes/status")),
    PolicyRule(verbs=("delete",), api_groups=("",), resources=("pods",)),
    PolicyRule(verbs=("update", "patch"), api_groups=("",), resources=("pods/status",)),
    PolicyRule(verbs=("create",), api_groups=("",), resources=("pods/eviction",)),
    PolicyRule(verbs=("create", "update", "patch"), api_groups=("",), resources=("events",)),
    PolicyRule(verbs=_WRITE, api_groups=("coordination.k8s.io",), resources=("leases",)),
    PolicyRule(
        verbs=("create",),
        api_groups=("authorization.k8s.io", "authentication.k8s.io"),
        resources=("subjectaccessreviews", "localsubjectaccessreviews", "tokenreviews"),
    ),
)
_USED = {"secrets": "secret", "configmaps": "configmap", "serviceaccounts": "serviceaccount"}


def node_name(identity: Identity) -> str:
    """The node that a caller is the agent of; empty for any other caller."""
    if NODES_GROUP not in identity.groups or not identity.name.startswith(_PREFIX):
        return ""
    return identity.name[len(_PREFIX) :]


class NodeRules:
    """Decides for agents; needs the cache to know which pods are bound where."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def allows(self, node: str, attributes: Attributes, fields: FieldSelector) -> bool:
        """`fields` is the request's field selector, by which an agent shows that it lists
        nothing but its own pods."""
        if any(rule.allows(attributes) for rule in RULES):
            return True
        if attributes.group != "" or not attributes.is_resource:
            return False
        if attributes.resource == "pods" and not attributes.subresource:
            return self._allows_pods(node, attributes, fields)
        if attributes.full_resource == "serviceaccounts/token":
            return attributes.verb == "create" and self._uses(node, attributes)
        if attributes.resource in _USED and not attributes.subresource:
            return (
                attributes.verb in _READ and bool(attributes.name) and self._uses(node, attributes)
            )
        return False

    def _allows_pods(self, node: str, attributes: Attributes, fields: FieldSelector) -> bool:
        if attributes.verb in ("list", "watch"):
            return ("spec.nodeName", node) in fields.equalities
        if attributes.verb != "get":
            return False
        stored = self._cache.of(PODS).get(f"{attributes.namespace}/{attributes.name}")
        return stored is not None and stored.fields.get("spec.nodeName") == node

    def _uses(self, node: str, attributes: Attributes) -> bool:
        if not attributes.namespace:  # the same name elsewhere is none of the pod's business
            return False
        on_node = FieldSelector((FieldRequirement("spec.nodeName", node),))
        pods = self._cache.of(PODS).select(Selection(attributes.namespace, fields=on_node))
        wanted = (_USED[attributes.resource], attributes.name)
        quoted = f'"{attributes.name}"'.encode()
        return any(quoted in pod.data and wanted in used_by(pod) for pod in pods)


def used_by(pod: StoredObject) -> set[tuple[str, str]]:
    """The Secrets, ConfigMaps and the ServiceAccount that a pod refers to, as (kind, name)."""
    spec = pod.decoded().get("spec") or {}
    used = {("serviceaccount", spec.get("serviceAccountName", ""))}
    used |= {("secret", it.get("name", "")) for it in spec.get("imagePullSecrets") or ()}
    for volume in spec.get("volumes") or ():
        used |= _used_by_volume(volume)
        for source in (volume.get("projected") or {}).get("sources") or ():
            used |= _used_by_volume(source)
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(group) or ():
            used |= _used_by_environment(container)
    return used


def _used_by_volume(source: dict[str, Any]) -> set[tuple[str, str]]:
    secret, config = source.get("secret") or {}, source.get("configMap") or {}
    name = secret.get("secretName") or secret.get("name") or ""
    return {("secret", name), ("configmap", config.get("name", ""))}


def _used_by_environment(container: dict[str, Any]) -> set[tuple[str, str]]:
    used: set[tuple[str, str]] = set()
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        used.add(("secret", (source.get("secretKeyRef") or {}).get("name", "")))
        used.add(("configmap", (source.get("configMapKeyRef") or {}).get("name", "")))
    for source in container.get("envFrom") or ():
        used.add(("secret", (source.get("secretRef") or {}).get("name", "")))
        used.add(("configmap", (source.get("configMapRef") or {}).get("name", "")))
    return used
