"""A node's agent writes only what is its own: its Node, its records, the pods bound to it.

The rules and words follow Kubernetes' NodeRestriction admission.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sampan.control.api.admission.node_labels import restricted_labels
from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.authorization.pod_references import references_of
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.pki.signing_requests import InvalidRequest, requested
from sampan.foundation.pki.subjects import NODE_PREFIX
from sampan.kubernetes.kinds.core.pod_subresources import MIRROR
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    CERTIFICATE_SIGNING_REQUESTS,
    CSI_NODES,
    LEASES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    RESOURCE_SLICES,
    SERVICE_ACCOUNTS,
    Resource,
)
from sampan.kubernetes.machinery.standing_namespaces import NODE_LEASES

_NODE_SIGNERS = (
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/kube-apiserver-client-kubelet",
)


class NodeRestriction:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._checks: dict[Resource, Callable[[Write, str], Iterator[str]]] = {
            NODES: _node_problem,
            LEASES: _lease_problem,
            PODS: self._pod_problem,
            CSI_NODES: _storage_problem,
            RESOURCE_SLICES: _slice_problem,
            PERSISTENT_VOLUME_CLAIMS: _claim_problem,
            CERTIFICATE_SIGNING_REQUESTS: _certificate_problem,
            POD_CERTIFICATE_REQUESTS: self._pod_certificate_problem,
        }

    def __call__(self, write: Write) -> None:
        """Raises Refused (403)."""
        node = node_name(write.identity)
        check = self._checks.get(write.kind.resource) if node else None
        problem = next(check(write, node), "") if check is not None else ""
        if problem:
            raise write.refusal(problem)

    def of_evictions(self, write: Write) -> None:
        """An eviction comes in a form of its own, and takes from budgets before it deletes.

        Raises Refused (403).
        """
        node = node_name(write.identity) if write.subresource == "eviction" else ""
        if not node or write.kind.resource != PODS:
            return
        stored = self._cache.of(PODS).get(f"{write.namespace}/{write.object_name}")
        if stored is None or stored.fields.get("spec.nodeName") != node:
            raise write.refusal(
                f'node "{node}" can only evict pods with spec.nodeName set to itself'
            )

    def _pod_problem(self, write: Write, node: str) -> Iterator[str]:
        """The first problem is told; what comes after it may not even make sense."""
        if write.old is None:
            yield from self._mirror_problem(write.object, node)
        elif _node_of(write.old) != node:
            verb = "delete" if write.new is None else "update status for"
            yield f'node "{node}" can only {verb} pods with spec.nodeName set to itself'
        elif write.new is not None:
            yield from _status_problem(write.new, write.old, write.subresource, node)

    def _pod_certificate_problem(self, write: Write, node: str) -> Iterator[str]:
        """A node asks in the name of its own pods alone (KEP-4317)."""
        spec = write.object.get("spec") or {}
        if spec.get("nodeName") != node:
            yield f'PodCertificateRequest.Spec.NodeName is not "{node}", the requesting node'
        stored = self._cache.of(PODS).get(f"{write.namespace}/{spec.get('podName', '')}")
        if stored is None:
            yield "PodCertificateRequest.Spec.PodName names no pod"
            return
        pod = stored.decoded()
        if pod["metadata"]["uid"] != spec.get("podUID"):
            yield "PodCertificateRequest.Spec.PodUID is not that of the pod"
        if MIRROR in (pod["metadata"].get("annotations") or {}) or _node_of(pod) != node:
            yield f'the pod of the request is not one that the API has bound to "{node}"'
        if (pod.get("spec") or {}).get("serviceAccountName") != spec.get("serviceAccountName"):
            yield "PodCertificateRequest.Spec.ServiceAccountName is not that of the pod"
        yield from self._uid_problems(write, spec)

    def _uid_problems(self, write: Write, spec: Object) -> Iterator[str]:
        account = f"{write.namespace}/{spec.get('serviceAccountName', '')}"
        for resource, key, field in (
            (SERVICE_ACCOUNTS, account, "serviceAccountUID"),
            (NODES, f"/{spec.get('nodeName', '')}", "nodeUID"),
        ):
            stored = self._cache.of(resource).get(key)
            if stored is None or stored.decoded()["metadata"]["uid"] != spec.get(field):
                yield f"spec.{field} is not that of the {resource.kind}"

    def _mirror_problem(self, pod: Object, node: str) -> Iterator[str]:
        """An agent shows the pods that it runs by itself; such a pod must reach nothing."""
        metadata = pod["metadata"]
        if MIRROR not in (metadata.get("annotations") or {}):
            lacking = f'pod does not have "{MIRROR}" annotation'
            yield f'{lacking}, node "{node}" can only create mirror pods'
        if _node_of(pod) != node:
            yield f'node "{node}" can only create pods with spec.nodeName set to itself'
        reached = sorted(kind for kind, _ in references_of(pod))
        if reached:
            yield f'node "{node}" can not create pods that reference {reached[0]}'
        yield from self._owner_problem(metadata.get("ownerReferences") or [], node)

    def _owner_problem(self, owners: list[Object], node: str) -> Iterator[str]:
        if len(owners) != 1:
            yield f'node "{node}" can only create pods with a single owner reference set to itself'
            return
        owner, stored = owners[0], self._cache.of(NODES).get(f"/{node}")
        is_node = owner.get("kind") == NODES.kind and owner.get("apiVersion") == "v1"
        if not is_node or owner.get("name") != node or not owner.get("controller"):
            yield f'node "{node}" can only create pods with an owner reference set to itself'
        if owner.get("blockOwnerDeletion"):
            yield f'node "{node}" must not set blockOwnerDeletion on an owner reference'
        if stored is None or stored.decoded()["metadata"]["uid"] != owner.get("uid"):
            yield f'node "{node}" UID mismatch: the owner reference names another node'


def _status_problem(new: Object, before: Object, subresource: str, node: str) -> Iterator[str]:
    if subresource != "status":
        yield f'node "{node}" can only update pod status'
    for field in ("labels", "ownerReferences"):
        if new["metadata"].get(field) != before["metadata"].get(field):
            yield f'node "{node}" cannot update {field} through pod status'
    claims = (new.get("status") or {}).get("resourceClaimStatuses")
    if claims != (before.get("status") or {}).get("resourceClaimStatuses"):
        yield f'node "{node}" cannot update resource claim statuses'


def _node_problem(write: Write, node: str) -> Iterator[str]:
    if write.object_name != node:
        yield f'node "{node}" is not allowed to modify node "{write.object_name}"'
    if write.new is None:
        yield f'node "{node}" is not allowed to delete itself'
        return
    new, old = write.new, write.old or {"metadata": {}}
    # A node that registers itself may bring taints: they only keep pods away.
    if write.old is not None and _spec(new, "taints") != _spec(old, "taints"):
        yield f'node "{node}" is not allowed to modify taints'
    if (_spec(new, "configSource") or None) != (_spec(old, "configSource") or None):
        yield f'node "{node}" is not allowed to update node configSource with a new reference'
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        yield f'node "{node}" is not allowed to modify ownerReferences'
    restricted = restricted_labels(new["metadata"].get("labels"), old["metadata"].get("labels"))
    if restricted:
        verb = "set" if write.old is None else "modify"
        listed = ", ".join(restricted)
        yield f'node "{node}" is not allowed to {verb} the following labels: {listed}'


def _lease_problem(write: Write, node: str) -> Iterator[str]:
    if write.namespace != NODE_LEASES:
        yield f'can only access leases in the "{NODE_LEASES}" system namespace'
    if write.object_name != node:
        yield "can only access node lease with the same name as the requesting node"


def _storage_problem(write: Write, node: str) -> Iterator[str]:
    if write.object_name != node:
        yield "can only access CSINode with the same name as the requesting node"


def _slice_problem(write: Write, node: str) -> Iterator[str]:
    for tree in (write.new, write.old):
        if tree is not None and _node_of(tree) != node:
            yield "can only access ResourceSlice objects for the requesting node"


def _claim_problem(write: Write, node: str) -> Iterator[str]:
    """A node tells how large a volume has become, and nothing else."""
    if write.subresource != "status" or write.new is None or write.old is None:
        yield f'node "{node}" may only update PVC status'
        return
    told = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")
    parts = [{**(tree.get("status") or {})} for tree in (write.new, write.old)]
    for part in parts:
        for field in (*told, "currentVolumeAttributesClassName", "modifyVolumeStatus"):
            part.pop(field, None)
    if parts[0] != parts[1]:
        yield f'node "{node}" is not allowed to update fields other than the size of a claim'


def _certificate_problem(write: Write, node: str) -> Iterator[str]:
    """A node asks for certificates in its own name alone."""
    spec = write.object.get("spec") or {}
    if not write.is_create or spec.get("signerName") not in _NODE_SIGNERS:
        return
    try:
        name = requested(spec.get("request", "")).common_name
    except InvalidRequest as error:
        yield f"unable to parse csr: {error}"
        return
    if name != f"{NODE_PREFIX}{node}":
        yield f"can only create a node CSR with CN=system:node:{node}"


def _spec(tree: Object, field: str) -> Any:
    return (tree.get("spec") or {}).get(field) or []


def _node_of(tree: Object) -> str:
    return str((tree.get("spec") or {}).get("nodeName", ""))
