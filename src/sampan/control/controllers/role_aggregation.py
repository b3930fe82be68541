"""Gathers into a cluster role the rules of all the roles that its aggregationRule selects."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch
from sampan.control.controllers.identity_views import ClusterRole
from sampan.kubernetes.client.contract import Object
from sampan.kubernetes.kinds.resource import CLUSTER_ROLES
from sampan.kubernetes.machinery.selectors import from_object

ACCOUNT = COMPONENT = "clusterrole-aggregation-controller"


class Snapshot(msgspec.Struct, frozen=True):
    role: ClusterRole
    others: tuple[ClusterRole, ...]


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Make the role's rules those of the selected roles, in the order of their names."""
    role = snapshot.role
    if role.aggregation_rule is None or role.metadata.deletion_timestamp:
        return plans.NOTHING
    wanted = _gathered(role, snapshot.others)
    if wanted == list(role.rules or ()):
        return plans.NOTHING
    patch = plans.Patch(
        resource=CLUSTER_ROLES,
        name=role.metadata.name,
        uid=role.metadata.uid,
        resource_version=role.metadata.resource_version,
        body={"rules": wanted},
    )
    return plans.Plan(actions=(patch,))


def _gathered(role: ClusterRole, others: Iterable[ClusterRole]) -> list[Object]:
    assert role.aggregation_rule is not None
    rules: list[Object] = []
    by_name = sorted(others, key=lambda each: each.metadata.name)
    for given in role.aggregation_rule.cluster_role_selectors:
        selector = from_object(given)
        for other in by_name:
            if other.metadata.name == role.metadata.name or selector is None:
                continue
            if selector.matches(other.metadata.labels):
                rules += [rule for rule in other.rules or () if rule not in rules]
    return rules


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The role and all others; None for one that is gone."""
    role = caches.cluster_roles.get(key)
    return None if role is None else Snapshot(role, caches.cluster_roles.all())


def _keys_of_aggregated(
    caches: Caches, _old: ClusterRole | None, _new: ClusterRole | None
) -> Iterable[str]:
    """Every role that gathers: there are few, and any role may come to be or cease to be theirs."""
    roles = caches.cluster_roles.all()
    return [each.metadata.name for each in roles if each.aggregation_rule is not None]


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.cluster_roles, _keys_of_aggregated),),
    observe=observe,
    plan=plan,
    workers=1,
)
