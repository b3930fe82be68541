"""Every change of a pod, seen at once: which Deployment's pods are active at this very moment.

A state that lasts for a millisecond is seen here, where a look every quarter of a second would
miss it. Follows the API without faults.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sampan.control.controllers.deployment_scaling import is_settling
from sampan.control.controllers.views import Deployment, Pod, ReplicaSet
from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import DEPLOYMENTS, PODS, REPLICA_SETS
from sampan.simulation.invariants import Broken

Look = Callable[[Deployment, list[Pod], int | None], None]


class Tally:
    """`look` is called with a Deployment, its active pods, and the number of pods that its
    ReplicaSets have settled on, None while one has not; the first Broken that it raises is
    kept in `broken`."""

    def __init__(self, client: Client, look: Look) -> None:
        self.broken: Broken | None = None
        self._look = look
        self._owners: dict[str, str] = {}
        self._active: dict[str, dict[str, Pod]] = defaultdict(dict)
        self._deployments = Informer(client, DEPLOYMENTS, Deployment)
        self._replica_sets = Informer(client, REPLICA_SETS, ReplicaSet)
        self._pods = Informer(client, PODS, Pod)
        self._deployments.on_change(self._deployment_changed)
        self._replica_sets.on_change(self._replica_set_changed)
        self._pods.on_change(self._pod_changed)
        self._informers: tuple[Informer[Any], ...] = (
            self._deployments,
            self._replica_sets,
            self._pods,
        )

    async def start(self) -> None:
        """Learn what is there; each resource before those that it owns."""
        for informer in self._informers:
            informer.start()
            await informer.synced.wait()

    async def close(self) -> None:
        """Stop looking."""
        for informer in self._informers:
            await informer.close()

    def _deployment_changed(self, _old: Deployment | None, new: Deployment | None) -> None:
        if new is not None:
            self._count(new.metadata.uid)

    def _replica_set_changed(self, _old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        if new is not None and new.metadata.controller is not None:
            self._owners[new.metadata.uid] = new.metadata.controller.uid

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        owner = pod.metadata.controller if pod is not None else None
        if pod is None or owner is None or owner.uid not in self._owners:
            return
        deployment = self._owners[owner.uid]
        if new is not None and new.is_active:
            self._active[deployment][new.metadata.uid] = new
        else:
            self._active[deployment].pop(pod.metadata.uid, None)
        self._count(deployment)

    def _count(self, uid: str) -> None:
        for deployment in self._deployments.items.values():
            if deployment.metadata.uid == uid and self.broken is None:
                try:
                    self._look(deployment, list(self._active[uid].values()), self._settled(uid))
                except Broken as broken:
                    self.broken = broken

    def _settled(self, uid: str) -> int | None:
        owned = [
            each
            for each in self._replica_sets.items.values()
            if self._owners.get(each.metadata.uid) == uid
        ]
        return None if any(map(is_settling, owned)) else sum(each.spec.replicas for each in owned)
