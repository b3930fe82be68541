"""Which ReplicaSet of a Deployment is the new one, and the numbers of its revisions. Pure."""

import msgspec

from sampan.control.controllers.template_hash import template_hash
from sampan.control.controllers.views import Deployment, ReplicaSet

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
_OWN_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)
_LONGEST_HISTORY = 2000


class Generations(msgspec.Struct, frozen=True):
    """A Deployment's ReplicaSets: the one of its present template, and the others."""

    new: ReplicaSet | None
    old: tuple[ReplicaSet, ...]

    @property
    def every(self) -> tuple[ReplicaSet, ...]:
        return (*self.old, self.new) if self.new is not None else self.old

    @property
    def active(self) -> tuple[ReplicaSet, ...]:
        """Those that are to have pods."""
        return tuple(each for each in self.every if each.spec.replicas > 0)

    @property
    def active_or_latest(self) -> ReplicaSet | None:
        """The only active one, or the newest when none is active; None when several are."""
        if len(self.active) > 1:
            return None
        if self.active:
            return self.active[0]
        if self.new is not None:
            return self.new
        return max(self.old, key=age, default=None)


def age(replica_set: ReplicaSet) -> tuple[str, str]:
    """Sorts the oldest first."""
    return (replica_set.metadata.creation_timestamp or "", replica_set.metadata.name)


def generations(deployment: Deployment, owned: tuple[ReplicaSet, ...]) -> Generations:
    """Part the ReplicaSets by template; of several with the present one the oldest is the new."""
    wanted = template_hash(deployment.spec.template)
    matching = [each for each in owned if template_hash(each.spec.template) == wanted]
    new = min(matching, key=age, default=None)
    return Generations(new=new, old=tuple(each for each in owned if each is not new))


def revision(replica_set: ReplicaSet) -> int:
    """The revision that a ReplicaSet carries, 0 for none."""
    text = replica_set.metadata.annotations.get(REVISION, "")
    return int(text) if text.isdecimal() and len(text) <= 18 else 0


def next_revision(old: tuple[ReplicaSet, ...]) -> int:
    """One more than the newest of the old ReplicaSets."""
    return max((revision(each) for each in old), default=0) + 1


def new_annotations(deployment: Deployment, new: ReplicaSet | None, number: int) -> dict[str, str]:
    """The annotations that the new ReplicaSet should have: the Deployment's own, and a revision
    above all others; a ReplicaSet that is taken up again remembers its former revisions."""
    annotations = {
        key: value
        for key, value in deployment.metadata.annotations.items()
        if key not in _OWN_ANNOTATIONS
    }
    present = revision(new) if new is not None else 0
    annotations[REVISION] = str(max(number, present))
    if new is not None and 0 < present < number:
        history = new.metadata.annotations.get(HISTORY, "")
        longer = f"{history},{present}" if history else str(present)
        annotations[HISTORY] = longer[-_LONGEST_HISTORY:].lstrip(",")
    return annotations


def name_of_new(deployment: Deployment) -> tuple[str, str]:
    """The name of the ReplicaSet to be created, and the value of its hash label."""
    value = template_hash(deployment.spec.template, deployment.status.collision_count or 0)
    return f"{deployment.metadata.name}-{value}", value


def superfluous(deployment: Deployment, old: tuple[ReplicaSet, ...]) -> tuple[ReplicaSet, ...]:
    """The old, empty ReplicaSets beyond the history that the Deployment keeps, oldest first."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return ()
    kept = [each for each in old if each.metadata.deletion_timestamp is None]
    surplus = len(kept) - limit
    if surplus <= 0:
        return ()
    ordered = sorted(kept, key=lambda each: (revision(each), age(each)))
    return tuple(each for each in ordered[:surplus] if _is_empty(each))


def _is_empty(replica_set: ReplicaSet) -> bool:
    return (
        replica_set.spec.replicas == 0
        and replica_set.status.replicas == 0
        and replica_set.status.observed_generation >= replica_set.metadata.generation
    )
