"""Fills the Secrets that keep a token of a service account, and removes them with the account.

Such a token has no end of its own: it is taken as long as it stands in its Secret (the API
looks it up there). Only who creates a Secret of that type gets one.
"""

import base64
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import Secret, ServiceAccount
from sampan.kubernetes.kinds.resource import SECRETS, SERVICE_ACCOUNTS
from sampan.kubernetes.machinery.token_secrets import (
    ACCOUNT_NAME,
    ACCOUNT_UID,
    KEPT_CLAIM,
    KEPT_ISSUER,
)

ACCOUNT, COMPONENT = "tokens-controller", "serviceaccount-token-controller"

Sign = Callable[[dict[str, Any]], str]


class Snapshot(msgspec.Struct, frozen=True):
    """`answers` are those of the API about an account that the cache doesn't have."""

    secret: Secret
    account: ServiceAccount | None
    answers: plans.Answers
    certificate: str
    sign: Sign


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Fill what is missing; delete a Secret whose account is gone or another one."""
    secret, metadata = snapshot.secret, snapshot.secret.metadata
    name = metadata.annotations.get(ACCOUNT_NAME, "")
    if metadata.deletion_timestamp or not name:
        return plans.NOTHING
    account = snapshot.account
    if account is None:
        return _without_account(snapshot, name)
    given = metadata.annotations.get(ACCOUNT_UID, "")
    if given and given != account.metadata.uid:
        return _deletion(secret)
    missing = _missing(snapshot, account)
    annotations = (
        {} if given else {"metadata": {"annotations": {ACCOUNT_UID: account.metadata.uid}}}
    )
    if not missing and not annotations:
        return plans.NOTHING
    patch = plans.Patch(
        resource=SECRETS,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        body={**({"data": missing} if missing else {}), **annotations},
    )
    return plans.Plan(actions=(patch,))


def _without_account(snapshot: Snapshot, name: str) -> plans.Plan:
    """The cache may only lag behind: the API itself is asked before anything is deleted."""
    question = plans.Get(SERVICE_ACCOUNTS, name, snapshot.secret.metadata.namespace)
    if question not in snapshot.answers:
        return plans.Plan(reads=(question,))
    return plans.NOTHING if snapshot.answers[question] else _deletion(snapshot.secret)


def _deletion(secret: Secret) -> plans.Plan:
    metadata = secret.metadata
    delete = plans.deletion(SECRETS, metadata, unchanged=True)
    return plans.Plan(actions=(delete,))


def _missing(snapshot: Snapshot, account: ServiceAccount) -> dict[str, str]:
    """What the Secret's data lacks, in base64."""
    present = snapshot.secret.data or {}
    wanted = {"ca.crt": snapshot.certificate, "namespace": snapshot.secret.metadata.namespace}
    encoded = {key: _base64(value) for key, value in wanted.items()}
    if not present.get("token"):
        encoded["token"] = _base64(snapshot.sign(claims_of(snapshot.secret, account)))
    return {key: value for key, value in encoded.items() if present.get(key) != value}


def claims_of(secret: Secret, account: ServiceAccount) -> dict[str, Any]:
    """The claims of a kept token, as k8s.io/kubernetes `pkg/serviceaccount` names them."""
    namespace, name = account.metadata.namespace, account.metadata.name
    return {
        "iss": KEPT_ISSUER,
        "sub": f"system:serviceaccount:{namespace}:{name}",
        f"{KEPT_CLAIM}namespace": namespace,
        f"{KEPT_CLAIM}secret.name": secret.metadata.name,
        f"{KEPT_CLAIM}service-account.name": name,
        f"{KEPT_CLAIM}service-account.uid": account.metadata.uid,
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _keys_of_account(
    caches: Caches, old: ServiceAccount | None, new: ServiceAccount | None
) -> Iterable[str]:
    metadata = (new or old).metadata  # type: ignore[union-attr]
    kept = caches.account_tokens.indexed("account", f"{metadata.namespace}/{metadata.name}")
    return [f"{each.metadata.namespace}/{each.metadata.name}" for each in kept]


def controller(certificate: str, sign: Sign) -> Controller[Snapshot]:
    """`certificate` is the cluster's authority (PEM), `sign` makes a token of claims."""

    def observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
        secret = caches.account_tokens.get(key)
        if secret is None:
            return None
        name = secret.metadata.annotations.get(ACCOUNT_NAME, "")
        account = caches.service_accounts.get(f"{secret.metadata.namespace}/{name}")
        return Snapshot(secret, account, circumstances.answers, certificate, sign)

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(
            Watch(lambda caches: caches.account_tokens, keys_of_self),
            Watch(lambda caches: caches.service_accounts, _keys_of_account),
        ),
        observe=observe,
        plan=plan,
        workers=1,
    )
