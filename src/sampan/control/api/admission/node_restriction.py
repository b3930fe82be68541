"""A node's agent writes only what is its own: its Node, its lease, the pods bound to it."""

from typing import Any

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import LEASES, NODES, PODS
from sampan.kubernetes.machinery import status

LEASE_NAMESPACE = "kube-node-lease"
_RESTRICTED = "node-restriction.kubernetes.io"
_RESERVED_DOMAINS = ("kubernetes.io", "k8s.io")
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_OWN_LABELS = frozenset(
    (
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        # The machine's first node says of itself that the control plane runs there.
        "node-role.kubernetes.io/control-plane",
    )
)


def restrict_nodes(write: Write) -> None:
    """Raises Refused (403)."""
    node = node_name(write.identity)
    if not node:
        return
    resource = write.kind.resource
    if resource == NODES:
        _check_node(write, node)
    elif resource == LEASES:
        _check_lease(write, node)
    elif resource == PODS:
        _check_pod(write, node)


def _refuse(write: Write, explanation: str) -> Refused:
    name = str(write.object["metadata"].get("name", ""))
    return Refused(status.forbidden(write.kind.resource, name, explanation))


def _check_node(write: Write, node: str) -> None:
    if write.object["metadata"].get("name") != node or write.new is None:
        raise _refuse(write, f'node "{node}" is not allowed to modify other nodes')
    new, old = write.new, write.old or {"metadata": {}}
    # A node that registers itself may bring taints: they only keep pods away.
    if write.old is not None and _taints(new) != _taints(old):
        raise _refuse(write, f'node "{node}" is not allowed to modify taints')
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        raise _refuse(write, f'node "{node}" is not allowed to modify owner references')
    changed = _changed(new["metadata"].get("labels"), old["metadata"].get("labels"))
    restricted = sorted(key for key in changed if not _is_own(key))
    if restricted:
        raise _refuse(write, f'node "{node}" is not allowed to modify labels: {restricted[0]}')


def _check_lease(write: Write, node: str) -> None:
    if write.namespace != LEASE_NAMESPACE or write.object["metadata"].get("name") != node:
        explanation = (
            f'node "{node}" can only access its own lease, in the namespace "{LEASE_NAMESPACE}"'
        )
        raise _refuse(write, explanation)


def _check_pod(write: Write, node: str) -> None:
    before = write.old if write.old is not None else write.object
    if (before.get("spec") or {}).get("nodeName") != node:
        raise _refuse(write, f'node "{node}" can only modify pods bound to it')
    if write.new is None or write.old is None:
        return
    for field in ("labels", "ownerReferences"):
        if write.new["metadata"].get(field) != write.old["metadata"].get(field):
            raise _refuse(write, f'node "{node}" cannot update {field} through pod status')


def _taints(node: Object) -> Any:
    return (node.get("spec") or {}).get("taints") or []


def _is_own(label: str) -> bool:
    """Whether a node may choose this label (KEP-279): those by which others tell which nodes to
    trust are not its own, or it would attract pods and their Secrets."""
    domain = label.partition("/")[0] if "/" in label else ""
    if label in _OWN_LABELS or _within(domain, _OWN_DOMAINS):
        return not _within(domain, (_RESTRICTED,))
    return not _within(domain, _RESERVED_DOMAINS)


def _within(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def _changed(new: dict[str, str] | None, old: dict[str, str] | None) -> set[str]:
    now, before = new or {}, old or {}
    return {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}
