"""Keeps a PersistentVolume from going while a claim is bound to it.

Admission gives every volume a finalizer; it is taken away from a volume that is being deleted
once it is not Bound (k8s.io/kubernetes `pkg/controller/volume/pvprotection`).
"""

from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.finalizers import finalizer_patch
from sampan.control.controllers.views import PersistentVolume
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUMES

ACCOUNT = COMPONENT = "pv-protection-controller"
FINALIZER = "kubernetes.io/pv-protection"


class Snapshot(msgspec.Struct, frozen=True):
    volume: PersistentVolume


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Give the finalizer to a volume that has none, or take it from one that nobody has."""
    metadata = snapshot.volume.metadata
    protected, ends = FINALIZER in metadata.finalizers, metadata.deletion_timestamp is not None
    if protected is not ends:
        return plans.NOTHING
    if not ends:
        kept = (*metadata.finalizers, FINALIZER)
    elif snapshot.volume.status.phase == "Bound":
        return plans.NOTHING
    else:
        kept = tuple(it for it in metadata.finalizers if it != FINALIZER)
    return plans.Plan(actions=(finalizer_patch(PERSISTENT_VOLUMES, metadata, kept),))


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The volume; None for one that is gone."""
    volume = caches.persistent_volumes.get(key)
    return None if volume is None else Snapshot(volume)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.persistent_volumes, keys_of_self),),
    observe=observe,
    plan=plan,
    workers=1,
)
