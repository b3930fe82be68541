"""Keeps a PersistentVolumeClaim from going while a pod uses it.

Admission gives every claim a finalizer; it is taken away from a claim that is being deleted once
no pod that is bound to a node and has not ended names it. That no such pod is there is believed
only of a view of the pods which is as new as the API's own (k8s.io/kubernetes
`pkg/controller/volume/pvcprotection`).
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches, by_claim
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.finalizers import finalizer_patch
from sampan.control.controllers.views import Pod
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUME_CLAIMS, PODS

ACCOUNT = COMPONENT = "pvc-protection-controller"
FINALIZER = "kubernetes.io/pvc-protection"
_LAGGING_SECONDS = 0.02


class Snapshot(msgspec.Struct, frozen=True):
    """`pods` are those of the claim, `versions` the resourceVersions of all that are known in
    its namespace, by uid."""

    claim: plans.Head
    pods: tuple[Pod, ...]
    versions: dict[str, int]
    answers: plans.Answers


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Give the finalizer to a claim that has none, or take it from one that nobody uses."""
    metadata = snapshot.claim.metadata
    protected = FINALIZER in metadata.finalizers
    if metadata.deletion_timestamp is None:
        if protected:
            return plans.NOTHING
        kept = (*metadata.finalizers, FINALIZER)
        return plans.Plan(actions=(finalizer_patch(PERSISTENT_VOLUME_CLAIMS, metadata, kept),))
    if not protected or any(_uses(pod) for pod in snapshot.pods):
        return plans.NOTHING
    read = plans.List(PODS, metadata.namespace)
    if read not in snapshot.answers:
        return plans.Plan(reads=(read,))
    if not _is_current(snapshot.versions, snapshot.answers[read]):
        return plans.Plan(again_after=_LAGGING_SECONDS)
    kept = tuple(it for it in metadata.finalizers if it != FINALIZER)
    return plans.Plan(actions=(finalizer_patch(PERSISTENT_VOLUME_CLAIMS, metadata, kept),))


def _uses(pod: Pod) -> bool:
    """A pod that is not bound yet is not begun once its claim is being deleted."""
    return bool(pod.spec.node_name) and not pod.is_finished


def _is_current(known: dict[str, int], listed: tuple[plans.Head, ...]) -> bool:
    return all(
        known.get(head.metadata.uid, 0) >= int(head.metadata.resource_version) for head in listed
    )


def observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
    """The claim with its pods; None for one that is gone."""
    claim = caches.heads[PERSISTENT_VOLUME_CLAIMS].get(key)
    if claim is None:
        return None
    versions = {
        pod.metadata.uid: int(pod.metadata.resource_version)
        for pod in caches.pods.in_namespace(claim.metadata.namespace)
        if circumstances.answers
    }
    return Snapshot(claim, caches.pods.indexed("claim", key), versions, circumstances.answers)


def _keys_of_pod(_caches: Caches, old: Pod | None, new: Pod | None) -> Iterable[str]:
    """The claims of a pod that is gone or has ended."""
    if old is not None and (new is None or not _uses(new)):
        yield from by_claim(old)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.heads[PERSISTENT_VOLUME_CLAIMS], keys_of_self),
        Watch(lambda caches: caches.pods, _keys_of_pod),
    ),
    observe=observe,
    plan=plan,
    workers=1,
)
