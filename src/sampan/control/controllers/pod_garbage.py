"""Removes pods that nobody will ever finish: those of nodes that are no more, those that were
never bound and are being deleted, and the oldest of too many finished ones."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch
from sampan.control.controllers.views import Node, Pod
from sampan.kubernetes.kinds.resource import NODES, PODS

ACCOUNT = COMPONENT = "pod-garbage-collector"
_KEY = "pods"


class Snapshot(msgspec.Struct, frozen=True):
    """`stranded` are pods bound to nodes that the cache does not know, `unbound` those being
    deleted without a node, `finished` those that have ended, `kept` how many of these may stay."""

    stranded: tuple[Pod, ...]
    unbound: tuple[Pod, ...]
    finished: tuple[Pod, ...]
    kept: int
    answers: plans.Answers


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Delete without grace; a node counts as gone only when the API itself says so."""
    reads = tuple(
        plans.Get(NODES, name) for name in sorted({pod.spec.node_name for pod in snapshot.stranded})
    )
    if any(read not in snapshot.answers for read in reads):
        return plans.Plan(reads=reads)
    gone = {read.name for read in reads if not snapshot.answers[read]}
    lost = [pod for pod in snapshot.stranded if pod.spec.node_name in gone]
    surplus = len(snapshot.finished) - snapshot.kept
    oldest: list[Pod] = []
    if surplus > 0:
        ordered = sorted(snapshot.finished, key=lambda pod: pod.metadata.creation_timestamp or "")
        oldest = ordered[:surplus]
    doomed = {pod.metadata.uid: pod for pod in (*lost, *snapshot.unbound, *oldest)}
    return plans.Plan(actions=tuple(_deletion(pod) for pod in doomed.values()))


def _deletion(pod: Pod) -> plans.Delete:
    return plans.deletion(PODS, pod.metadata, grace_seconds=0)


def controller(kept: int) -> Controller[Snapshot]:
    """`kept` is how many finished pods may stay."""

    def observe(caches: Caches, _key: str, circumstances: Circumstances) -> Snapshot:
        pods = caches.pods
        unknown = [name for name in pods.values("node") if name and caches.nodes.get(name) is None]
        return Snapshot(
            stranded=tuple(pod for name in unknown for pod in pods.indexed("node", name)),
            unbound=tuple(
                pod
                for pod in pods.indexed("node", "")
                if pod.metadata.deletion_timestamp is not None
            ),
            finished=(*pods.indexed("phase", "Succeeded"), *pods.indexed("phase", "Failed")),
            kept=kept,
            answers=circumstances.answers,
        )

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(
            Watch(lambda caches: caches.nodes, _keys_of_node),
            Watch(lambda caches: caches.pods, _keys_of_pod),
        ),
        observe=observe,
        plan=plan,
        workers=1,
    )


def _keys_of_node(_caches: Caches, _old: Node | None, new: Node | None) -> Iterable[str]:
    return (_KEY,) if new is None else ()


def _keys_of_pod(caches: Caches, _old: Pod | None, new: Pod | None) -> Iterable[str]:
    if new is None:
        return ()
    if new.spec.node_name:
        interesting = new.is_finished or caches.nodes.get(new.spec.node_name) is None
    else:
        interesting = new.metadata.deletion_timestamp is not None
    return (_KEY,) if interesting else ()
