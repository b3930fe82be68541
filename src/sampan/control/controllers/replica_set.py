"""Keeps as many pods of a template running as a ReplicaSet asks for: see `replicas`."""

from sampan.control.controllers import replicas
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.claims import selector_of
from sampan.control.controllers.views import ReplicaSet
from sampan.kubernetes.kinds.resource import REPLICA_SETS


def _siblings(caches: Caches, replica_set: ReplicaSet) -> tuple[ReplicaSet, ...]:
    """The sets of the same Deployment: while it rolls out, their pods are to be spread as one."""
    owner = replica_set.metadata.controller
    return caches.replica_sets.controlled_by(owner.uid) if owner else (replica_set,)


KIND = replicas.Replicated(
    resource=REPLICA_SETS,
    cache=lambda caches: caches.replica_sets,
    selector=lambda replica_set: selector_of(replica_set.spec.selector),
    related=_siblings,
    counts_terminating=True,
)
CONTROLLER = replicas.controller("replicaset-controller", KIND)
