"""Sees that every namespace has the service account that its pods use by default."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import ServiceAccount
from sampan.control.controllers.views import Namespace
from sampan.kubernetes.kinds.resource import SERVICE_ACCOUNTS

ACCOUNT = COMPONENT = "service-account-controller"
DEFAULT = "default"


class Snapshot(msgspec.Struct, frozen=True):
    namespace: Namespace
    account: ServiceAccount | None


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Create the account where it is missing."""
    if snapshot.namespace.is_terminating or snapshot.account is not None:
        return plans.NOTHING
    namespace = snapshot.namespace.metadata.name
    body = {
        "apiVersion": SERVICE_ACCOUNTS.group_version,
        "kind": SERVICE_ACCOUNTS.kind,
        "metadata": {"name": DEFAULT, "namespace": namespace},
    }
    create = plans.Create(resource=SERVICE_ACCOUNTS, namespace=namespace, body=body)
    return plans.Plan(actions=(create,))


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The namespace and its default account; None for a namespace that is gone."""
    namespace = caches.namespaces.get(key)
    if namespace is None:
        return None
    return Snapshot(namespace, caches.service_accounts.get(f"{key}/{DEFAULT}"))


def _keys_of_account(
    _caches: Caches, old: ServiceAccount | None, new: ServiceAccount | None
) -> Iterable[str]:
    if new is not None or old is None or old.metadata.name != DEFAULT:
        return ()
    return (old.metadata.namespace,)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.namespaces, keys_of_self),
        Watch(lambda caches: caches.service_accounts, _keys_of_account),
    ),
    observe=observe,
    plan=plan,
)
