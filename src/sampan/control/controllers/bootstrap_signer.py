"""Signs the public information about the cluster with each bootstrap token that is meant for it.

Who joins with a token can so tell that `kube-public/cluster-info` is the cluster's own, before
trusting the authority in it. The form is a detached JWS (RFC 7515, appendix F).
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch
from sampan.control.controllers.identity_views import Secret
from sampan.control.controllers.views import ConfigMap
from sampan.foundation.pki.tokens import base64url
from sampan.kubernetes.kinds.resource import CONFIG_MAPS
from sampan.kubernetes.machinery.token_secrets import (
    BOOTSTRAP_NAMESPACE,
    BOOTSTRAP_PREFIX,
    plain,
)

ACCOUNT = COMPONENT = "bootstrap-signer"
PUBLIC = "kube-public/cluster-info"
SIGNED = "kubeconfig"
SIGNATURE_PREFIX = "jws-kubeconfig-"


class Snapshot(msgspec.Struct, frozen=True):
    information: ConfigMap
    tokens: tuple[Secret, ...]


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """One signature for each token; those of tokens that are gone go."""
    information = snapshot.information
    content = information.data.get(SIGNED, "")
    wanted = _signatures(content, snapshot.tokens) if content else {}
    present = {key: it for key, it in information.data.items() if key.startswith(SIGNATURE_PREFIX)}
    if present == wanted:
        return plans.NOTHING
    patch = plans.Patch(
        resource=CONFIG_MAPS,
        namespace=information.metadata.namespace,
        name=information.metadata.name,
        uid=information.metadata.uid,
        resource_version=information.metadata.resource_version,
        body={"data": {**dict.fromkeys(present.keys() - wanted.keys()), **wanted}},
    )
    return plans.Plan(actions=(patch,))


def _signatures(content: str, tokens: Iterable[Secret]) -> dict[str, str]:
    found: dict[str, str] = {}
    for token in tokens:
        identifier, secret = plain(token.data, "token-id"), plain(token.data, "token-secret")
        named = token.metadata.name == f"{BOOTSTRAP_PREFIX}{identifier}"
        if named and secret and plain(token.data, "usage-bootstrap-signing") == "true":
            found[f"{SIGNATURE_PREFIX}{identifier}"] = detached(content, identifier, secret)
    return found


def detached(content: str, identifier: str, secret: str) -> str:
    """The signature of `content` without it: `header..signature`."""
    header = base64url(b'{"alg":"HS256","kid":"%b"}' % identifier.encode())
    signed = f"{header}.{base64url(content.encode())}".encode()
    mark = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"{header}..{base64url(mark)}"


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The information and every token; None where there is none to sign."""
    information = caches.config_maps.get(key)
    if information is None:
        return None
    tokens = caches.bootstrap_tokens.in_namespace(BOOTSTRAP_NAMESPACE)
    return Snapshot(information, tuple(it for it in tokens if not it.metadata.deletion_timestamp))


def _keys(_caches: Caches, _old: Any, _new: Any) -> Iterable[str]:
    return (PUBLIC,)


def _keys_of_information(
    _caches: Caches, old: ConfigMap | None, new: ConfigMap | None
) -> Iterable[str]:
    metadata = (new or old).metadata  # type: ignore[union-attr]
    return (PUBLIC,) if f"{metadata.namespace}/{metadata.name}" == PUBLIC else ()


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(
        Watch(lambda caches: caches.config_maps, _keys_of_information),
        Watch(lambda caches: caches.bootstrap_tokens, _keys),
    ),
    observe=observe,
    plan=plan,
    workers=1,
)
