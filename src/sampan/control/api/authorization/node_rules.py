"""What a node's agent may do, beyond what roles give it: its own pods and what they use.

The rules follow Kubernetes' Node authorizer: writes are narrowed further by the
NodeRestriction admission, and a Secret, a ConfigMap or a volume can be read only by the nodes
that a pod which uses it is bound to. An agent here is a node's service proxy as well, and joins
the overlay: that is why it may read services, endpoints, namespaces and every node.
"""

from collections.abc import Callable, Iterator

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization import pod_references
from sampan.control.api.authorization.rule_table import RuleTable
from sampan.control.api.authorization.rules import PolicyRule
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.pki.subjects import NODE_PREFIX, NODES_GROUP
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    PERSISTENT_VOLUMES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    RESOURCE_SLICES,
    VOLUME_ATTACHMENTS,
    Resource,
)
from sampan.kubernetes.machinery.selectors import FieldRequirement, FieldSelector
from sampan.kubernetes.machinery.standing_namespaces import NODE_LEASES

_READ = ("get", "list", "watch")
_LISTS = ("list", "watch")
_CHANGE = ("update", "patch")
_OWN = ("get", "create", "update", "patch", "delete")
_CERTIFICATES = "certificates.k8s.io"

RULES = (
    PolicyRule(_READ, ("",), ("services", "nodes", "namespaces")),
    PolicyRule(_READ, ("discovery.k8s.io",), ("endpointslices",)),
    PolicyRule(("create",), ("",), ("nodes",)),
    PolicyRule(_CHANGE, ("",), ("nodes", "nodes/status")),
    PolicyRule(("create", "delete"), ("",), ("pods",)),
    PolicyRule(_CHANGE, ("",), ("pods/status",)),
    PolicyRule(("create",), ("",), ("pods/eviction",)),
    PolicyRule(("create", "update", "patch"), ("", "events.k8s.io"), ("events",)),
    PolicyRule(("create", *_READ), (_CERTIFICATES,), ("certificatesigningrequests",)),
    PolicyRule(_READ, (_CERTIFICATES,), ("clustertrustbundles",)),
    PolicyRule(_READ, ("storage.k8s.io",), ("csidrivers",)),
    PolicyRule(_READ, ("node.k8s.io",), ("runtimeclasses",)),
    PolicyRule(
        ("create",),
        ("authorization.k8s.io", "authentication.k8s.io"),
        ("subjectaccessreviews", "localsubjectaccessreviews", "tokenreviews"),
    ),
)
_TABLE = RuleTable(RULES)

Check = Callable[[str, Attributes, FieldSelector], bool]


def node_name(identity: Identity) -> str:
    """The node that a caller is the agent of; empty for any other caller."""
    if NODES_GROUP not in identity.groups or not identity.name.startswith(NODE_PREFIX):
        return ""
    return identity.name[len(NODE_PREFIX) :]


class NodeRules:
    """Decides for agents; needs the cache to know which pods are bound where."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._narrow: dict[tuple[str, str], tuple[tuple[str, ...], Check]] = {
            ("", "pods"): (_READ, self._is_own_pod),
            ("", "secrets"): (_READ, self._uses),
            ("", "configmaps"): (_READ, self._uses),
            ("", "serviceaccounts"): (("get",), self._uses),
            ("", "serviceaccounts/token"): (("create",), self._uses),
            ("", "persistentvolumeclaims"): (("get",), self._uses),
            ("", "persistentvolumeclaims/status"): (("get", *_CHANGE), self._uses),
            ("", "persistentvolumes"): (("get",), self._mounts),
            ("resource.k8s.io", "resourceclaims"): (("get",), self._uses),
            ("resource.k8s.io", "resourceslices"): (
                (*_OWN, *_LISTS, "deletecollection"),
                self._is_own_slice,
            ),
            (_CERTIFICATES, "podcertificaterequests"): (
                ("create", *_READ),
                self._is_own_request,
            ),
            ("storage.k8s.io", "volumeattachments"): (("get",), self._is_attached),
            ("storage.k8s.io", "csinodes"): (_OWN, _is_named_so),
            ("coordination.k8s.io", "leases"): (_OWN, _is_own_lease),
        }

    def allows(self, node: str, attributes: Attributes, fields: FieldSelector) -> bool:
        """`fields` is the request's field selector, by which an agent shows that it lists
        nothing but what is its own."""
        if not attributes.is_resource:
            return False
        if _TABLE.allows(attributes):
            return True
        verbs, check = self._narrow.get((attributes.group, attributes.full_resource), _NONE)
        return attributes.verb in verbs and check(node, attributes, fields)

    def _is_own_pod(self, node: str, attributes: Attributes, fields: FieldSelector) -> bool:
        if attributes.verb in _LISTS:
            return ("spec.nodeName", node) in fields.equalities
        stored = self._stored(PODS, f"{attributes.namespace}/{attributes.name}")
        return stored is not None and stored.fields.get("spec.nodeName") == node

    def _is_own_slice(self, node: str, attributes: Attributes, fields: FieldSelector) -> bool:
        if attributes.verb in (*_LISTS, "deletecollection"):
            return ("spec.nodeName", node) in fields.equalities
        stored = self._stored(RESOURCE_SLICES, f"/{attributes.name}")
        return attributes.verb == "create" or _node_of(stored) == node

    def _is_own_request(self, node: str, attributes: Attributes, fields: FieldSelector) -> bool:
        if attributes.verb in _LISTS:
            return ("spec.nodeName", node) in fields.equalities
        key = f"{attributes.namespace}/{attributes.name}"
        stored = self._stored(POD_CERTIFICATE_REQUESTS, key)
        return attributes.verb == "create" or _node_of(stored) == node

    def _is_attached(self, node: str, attributes: Attributes, _fields: FieldSelector) -> bool:
        return _node_of(self._stored(VOLUME_ATTACHMENTS, f"/{attributes.name}")) == node

    def _uses(self, node: str, attributes: Attributes, _fields: FieldSelector) -> bool:
        """Whether a pod of the node refers to the object; a name elsewhere is none of its
        business."""
        if not attributes.namespace or not attributes.name:
            return False
        wanted = (attributes.resource, attributes.name)
        if self._refers(node, attributes.namespace, wanted):
            return True
        return attributes.resource == "secrets" and self._mounts_with(
            node, attributes.namespace, attributes.name
        )

    def _refers(self, node: str, namespace: str, wanted: pod_references.Reference) -> bool:
        on_node = FieldSelector((FieldRequirement("spec.nodeName", node),))
        pods = self._cache.of(PODS).select(Selection(namespace, fields=on_node))
        # The claim of an ephemeral volume is named after the pod, and stands nowhere as a whole.
        plain = b"" if wanted[0] == pod_references.CLAIMS else f'"{wanted[1]}"'.encode()
        return any(
            plain in pod.data and wanted in pod_references.references_of(pod.decoded())
            for pod in pods
        )

    def _mounts(self, node: str, attributes: Attributes, _fields: FieldSelector) -> bool:
        """Whether a pod of the node uses the claim that a volume is bound to."""
        stored = self._stored(PERSISTENT_VOLUMES, f"/{attributes.name}")
        return stored is not None and self._claims(node, stored.decoded())

    def _claims(self, node: str, volume: Object) -> bool:
        claim = (volume.get("spec") or {}).get("claimRef") or {}
        namespace, name = claim.get("namespace", ""), claim.get("name", "")
        wanted = (pod_references.CLAIMS, name)
        return bool(namespace and name) and self._refers(node, namespace, wanted)

    def _mounts_with(self, node: str, namespace: str, secret: str) -> bool:
        """Whether a volume that is mounted on the node needs the Secret."""
        return any(
            (namespace, secret) in pod_references.secrets_of_volume(volume)
            and self._claims(node, volume)
            for volume in self._volumes_naming(secret)
        )

    def _volumes_naming(self, name: str) -> Iterator[Object]:
        quoted = f'"{name}"'.encode()
        for stored in self._cache.of(PERSISTENT_VOLUMES).select(Selection()):
            if quoted in stored.data:
                yield stored.decoded()

    def _stored(self, resource: Resource, key: str) -> StoredObject | None:
        return self._cache.of(resource).get(key)


def _node_of(stored: StoredObject | None) -> str:
    """The node that an object says it belongs to."""
    if stored is None:
        return ""
    return str((stored.decoded().get("spec") or {}).get("nodeName", ""))


def _is_named_so(node: str, attributes: Attributes, _fields: FieldSelector) -> bool:
    """A create has no name yet; admission looks at that of the object."""
    return attributes.name == node or attributes.verb == "create"


def _is_own_lease(node: str, attributes: Attributes, fields: FieldSelector) -> bool:
    own = attributes.namespace == NODE_LEASES
    return own and _is_named_so(node, attributes, fields)


def _never(_node: str, _attributes: Attributes, _fields: FieldSelector) -> bool:
    return False


_NONE: tuple[tuple[str, ...], Check] = ((), _never)
