"""A node's agent writes only what is its own: its Node, its lease, the pods bound to it."""

from typing import Any

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import LEASES, NODES, PODS
from sampan.kubernetes.machinery import status

LEASE_NAMESPACE = "kube-node-lease"
_RESTRICTED = "node-restriction.kubernetes.io/"


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
    if write.old is None:
        return
    new, old = write.new, write.old
    if _taints(new) != _taints(old):
        raise _refuse(write, f'node "{node}" is not allowed to modify taints')
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        raise _refuse(write, f'node "{node}" is not allowed to modify owner references')
    changed = _changed(new["metadata"].get("labels"), old["metadata"].get("labels"))
    restricted = sorted(key for key in changed if _RESTRICTED in key)
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


def _changed(new: dict[str, str] | None, old: dict[str, str] | None) -> set[str]:
    now, before = new or {}, old or {}
    return {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}
