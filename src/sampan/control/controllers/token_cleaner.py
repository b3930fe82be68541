"""Deletes bootstrap tokens when their time is over."""

from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import Secret
from sampan.kubernetes.kinds.resource import SECRETS
from sampan.kubernetes.machinery.timestamps import InvalidTimestamp, parse
from sampan.kubernetes.machinery.token_secrets import BOOTSTRAP_NAMESPACE, plain

ACCOUNT = COMPONENT = "token-cleaner"


class Snapshot(msgspec.Struct, frozen=True):
    secret: Secret


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Delete the token, or come back when it expires; one without an expiration stays."""
    secret = snapshot.secret
    expiration = plain(secret.data, "expiration")
    if not expiration:
        return plans.NOTHING
    try:
        left = (parse(expiration) - now).total_seconds()
    except InvalidTimestamp:
        left = 0.0
    if left > 0:
        return plans.Plan(again_after=left)
    metadata = secret.metadata
    delete = plans.deletion(SECRETS, metadata, unchanged=True)
    return plans.Plan(actions=(delete,))


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The token; None for one that is gone, or lies where it is none."""
    secret = caches.bootstrap_tokens.get(key)
    return Snapshot(secret) if secret and secret.metadata.namespace == BOOTSTRAP_NAMESPACE else None


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.bootstrap_tokens, keys_of_self),),
    observe=observe,
    plan=plan,
    workers=1,
)
