"""Tells in each FlowSchema's status whether the priority level that it names is there.

The condition and its words are those of k8s.io/apiserver `util/flowcontrol`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.views import FlowSchema
from sampan.kubernetes.kinds.resource import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from sampan.kubernetes.machinery import conditions
from sampan.kubernetes.machinery.timestamps import to_seconds

ACCOUNT = COMPONENT = "flow-schema-controller"
DANGLING = "Dangling"


class Snapshot(msgspec.Struct, frozen=True):
    schema: FlowSchema
    has_level: bool


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Write the condition, if it has changed."""
    schema = snapshot.schema
    present: list[dict[str, Any]] = [msgspec.to_builtins(it) for it in schema.status.conditions]
    level = schema.spec.priority_level_configuration.name
    names = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    wanted = conditions.with_condition(
        present,
        DANGLING,
        "False" if snapshot.has_level else "True",
        to_seconds(now),
        reason="Found" if snapshot.has_level else "NotFound",
        message=f"{names} and it exists"
        if snapshot.has_level
        else f"{names} but there is no such object",
    )
    if schema.metadata.deletion_timestamp is not None or wanted == present:
        return plans.NOTHING
    patch = plans.status_patch(FLOW_SCHEMAS, schema.metadata, {"conditions": wanted})
    return plans.Plan(actions=(patch,))


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The schema; None for one that is gone."""
    schema = caches.flow_schemas.get(key)
    if schema is None:
        return None
    levels = caches.heads[PRIORITY_LEVEL_CONFIGURATIONS]
    return Snapshot(schema, levels.get(schema.spec.priority_level_configuration.name) is not None)


def _keys_of_level(caches: Caches, old: plans.Head | None, new: plans.Head | None) -> Iterable[str]:
    """The schemas that name a level which has come or gone."""
    if old is not None and new is not None:
        return
    name = (new or old).metadata.name  # type: ignore[union-attr]
    for schema in caches.flow_schemas.all():
        if schema.spec.priority_level_configuration.name == name:
            yield schema.metadata.name


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.flow_schemas, keys_of_self),
        Watch(lambda caches: caches.heads[PRIORITY_LEVEL_CONFIGURATIONS], _keys_of_level),
    ),
    observe=observe,
    plan=plan,
    workers=1,
)
