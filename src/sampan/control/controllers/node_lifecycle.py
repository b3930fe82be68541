"""Takes a node that falls silent for dead, and back when it speaks again.

A silent node's conditions become Unknown, its pods are not ready any more (so that their
endpoints are withdrawn), and taints keep new pods away and have the present ones evicted. When
all nodes are silent at once it is rather this side that is deaf: then nobody is evicted and no
endpoint withdrawn.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.heartbeats import Heartbeats
from sampan.control.controllers.views import Lease, Node, Pod, Taint, condition
from sampan.kubernetes.kinds.resource import NODES, PODS
from sampan.kubernetes.machinery import timestamps
from sampan.kubernetes.machinery.standing_namespaces import NODE_LEASES

ACCOUNT = COMPONENT = "node-controller"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
_REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


class Snapshot(msgspec.Struct, frozen=True):
    """`silence` is how long the node has not been heard; `all_silent`, that no node was heard for
    half the grace: nodes that are cut off together do not miss their renewals at one moment."""

    node: Node
    pods: tuple[Pod, ...]
    silence: float
    all_silent: bool
    grace: float


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Bring the node's conditions, its taints and its pods' readiness in line."""
    node = snapshot.node
    silent = snapshot.silence >= snapshot.grace
    ready = condition(node.status.conditions, "Ready")
    verdict = ready.status if ready is not None else ""
    actions: list[plans.Action] = []
    if silent and verdict != "Unknown":
        verdict = "Unknown"
        actions.append(_silence_told(node, now))
    actions.extend(_taint_actions(node, _wanted(verdict, snapshot.all_silent), now))
    if verdict in ("False", "Unknown") and not snapshot.all_silent:
        actions.extend(_unready(pod, now) for pod in snapshot.pods if pod.is_ready)
    if not silent:
        return plans.Plan(actions=tuple(actions), again_after=snapshot.grace - snapshot.silence)
    again = snapshot.grace if snapshot.all_silent else None
    return plans.Plan(actions=tuple(actions), again_after=again)


def _wanted(verdict: str, all_silent: bool) -> set[tuple[str, str]]:
    """The taints (key and effect) that a node in this state has of the two that this controller
    owns. A node that has never reported keeps pods away without evicting any."""
    if verdict == "True":
        return set()
    key = UNREACHABLE if verdict == "Unknown" else NOT_READY
    if not verdict or (verdict == "Unknown" and all_silent):
        return {(key, "NoSchedule")}
    return {(key, "NoSchedule"), (key, "NoExecute")}


def _taint_actions(
    node: Node, wanted: set[tuple[str, str]], now: datetime
) -> tuple[plans.Action, ...]:
    kept = [
        taint
        for taint in node.spec.taints
        if taint.key not in (NOT_READY, UNREACHABLE) or (taint.key, taint.effect) in wanted
    ]
    present = {(taint.key, taint.effect) for taint in kept}
    moment = timestamps.to_seconds(now)
    added = [Taint(key, effect, "", moment) for key, effect in sorted(wanted - present)]
    if not added and len(kept) == len(node.spec.taints):
        return ()
    taints = [msgspec.to_builtins(each) for each in (*kept, *added)]
    return (
        plans.Patch(
            resource=NODES,
            name=node.metadata.name,
            uid=node.metadata.uid,
            resource_version=node.metadata.resource_version,
            body={"spec": {"taints": taints or None}},
        ),
    )


def _silence_told(node: Node, now: datetime) -> plans.Patch:
    moment = timestamps.to_seconds(now)
    conditions: list[dict[str, Any]] = []
    for kind in _REPORTED:
        present = condition(node.status.conditions, kind)
        if present is not None and present.status == "Unknown":
            continue
        never = present is None
        conditions.append(
            {
                "type": kind,
                "status": "Unknown",
                "reason": "NodeStatusNeverUpdated" if never else "NodeStatusUnknown",
                "message": "Kubelet never posted node status."
                if never
                else "Kubelet stopped posting node status.",
                "lastTransitionTime": moment,
            }
        )
    return plans.Patch(
        resource=NODES,
        name=node.metadata.name,
        uid=node.metadata.uid,
        resource_version=node.metadata.resource_version,
        subresource="status",
        kind="strategic",
        body={"status": {"conditions": conditions}},
        success=plans.Report(
            plans.reference(NODES, node.metadata),
            "Normal",
            "NodeNotReady",
            f"Node {node.metadata.name} status is now: NodeNotReady",
        ),
    )


def _unready(pod: Pod, now: datetime) -> plans.Patch:
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "NodeLost",
        "message": "The node of this pod is not ready.",
        "lastTransitionTime": timestamps.to_seconds(now),
    }
    return plans.Patch(
        resource=PODS,
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        subresource="status",
        kind="strategic",
        body={"status": {"conditions": [ready]}},
        success=plans.Report(
            plans.reference(PODS, pod.metadata), "Warning", "NodeNotReady", "Node is not ready"
        ),
    )


def controller(heartbeats: Heartbeats, grace: float) -> Controller[Snapshot]:
    """`grace` is how many seconds of silence a node is allowed."""

    def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
        node = caches.nodes.get(key)
        if node is None:
            return None
        return Snapshot(
            node=node,
            pods=caches.pods.indexed("node", key),
            silence=heartbeats.silence(key),
            all_silent=all(
                heartbeats.silence(each.metadata.name) >= grace / 2 for each in caches.nodes.all()
            ),
            grace=grace,
        )

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(
            Watch(lambda caches: caches.nodes, keys_of_self),
            Watch(lambda caches: caches.leases, _keys_of_lease),
        ),
        observe=observe,
        plan=plan,
    )


def _keys_of_lease(caches: Caches, _old: Lease | None, new: Lease | None) -> Iterable[str]:
    """Only the lease of a node that was given up wakes, and all others that were: it tells that
    the node is back, and that it is not this side that is deaf."""
    if new is None or new.metadata.namespace != NODE_LEASES:
        return ()
    given_up = [node.metadata.name for node in caches.nodes.all() if _is_given_up(node)]
    return given_up if new.metadata.name in given_up else ()


def _is_given_up(node: Node) -> bool:
    ready = condition(node.status.conditions, "Ready")
    return ready is not None and ready.status == "Unknown"
