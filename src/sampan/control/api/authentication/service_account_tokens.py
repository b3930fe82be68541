"""The tokens of service accounts: bound ones, and those that a Secret keeps.

A token is as good as what it is bound to: the account, and the pod, Secret or node that it
names, must still be there under the same uid. The rules are those of k8s.io/kubernetes
`pkg/serviceaccount`.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sampan.control.api.authentication import identities
from sampan.control.api.authentication.identities import Proof, service_account_identity
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.pki.tokens import (
    InvalidToken,
    TokenSigner,
    audiences_of,
    check_audience,
    check_times,
)
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.resource import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from sampan.kubernetes.machinery.timestamps import parse
from sampan.kubernetes.machinery.token_secrets import (
    INVALID_SINCE,
    KEPT_CLAIM,
    KEPT_ISSUER,
    plain,
)

_REMEMBERED = 1024
_PRIVATE = "kubernetes.io"
# A pod that ends may need its token for its last words.
_LEEWAY = timedelta(seconds=60)


class _Head(msgspec.Struct, rename="camel"):
    uid: str
    deletion_timestamp: str | None = None


class _Headed(msgspec.Struct):
    metadata: _Head


class _SecretMetadata(msgspec.Struct, rename="camel"):
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _Secret(msgspec.Struct):
    metadata: _SecretMetadata
    data: dict[str, str] | None = None


_decode_headed = msgspec.json.Decoder(_Headed).decode
_decode_secret = msgspec.json.Decoder(_Secret).decode


class ServiceAccountTokens:
    """Verifies tokens of the cluster's own issuer. Signatures are remembered, what the tokens
    are bound to is looked up each time."""

    def __init__(
        self,
        cache: WatchCache,
        signer: TokenSigner,
        own_audience: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._signer = signer
        self._own_audience = own_audience
        self._clock = clock
        self._claims: OrderedDict[bytes, dict[str, Any]] = OrderedDict()

    def issued(self, issuer: str) -> bool:
        """Whether tokens of that issuer are judged here."""
        return issuer in (self._signer.issuer, KEPT_ISSUER)

    def proof(self, token: str, audiences: tuple[str, ...]) -> Proof:
        """Raises InvalidToken."""
        claims = self._verified(token)
        if claims.get("iss") == KEPT_ISSUER:
            return self._of_kept(token, claims, audiences)
        if claims.get("iss") != self._signer.issuer:
            raise InvalidToken("the token is invalid: Invalid issuer")
        check_audience(claims, audiences)
        check_times(claims, self._clock())
        meant = set(audiences_of(claims))
        return Proof(self._bound_identity(claims), tuple(it for it in audiences if it in meant))

    def _verified(self, token: str) -> dict[str, Any]:
        """Verifying a signature takes longer than all the rest of a small request."""
        key = hashlib.sha256(token.encode()).digest()
        claims = self._claims.get(key)
        if claims is None:
            claims = self._claims[key] = self._signer.verify_signature(token)
            if len(self._claims) > _REMEMBERED:
                self._claims.popitem(last=False)
        return claims

    def _bound_identity(self, claims: dict[str, Any]) -> Identity:
        private = _mapping(claims.get(_PRIVATE))
        namespace = str(private.get("namespace", ""))
        account, pod = _mapping(private.get("serviceaccount")), _mapping(private.get("pod"))
        secret, node = _mapping(private.get("secret")), _mapping(private.get("node"))
        self._check_exists(SERVICE_ACCOUNTS, namespace, account)
        extra: dict[str, tuple[str, ...]] = {}
        if "jti" in claims:
            extra[identities.CREDENTIAL] = (f"JTI={claims['jti']}",)
        if secret:
            self._check_exists(SECRETS, namespace, secret)
        if pod:
            self._check_exists(PODS, namespace, pod)
            extra |= _named(identities.POD_NAME, identities.POD_UID, pod)
        if node:
            # A pod's token tells of its node, but lives and dies with the pod.
            if not pod:
                self._check_exists(NODES, "", node)
            extra |= _named(identities.NODE_NAME, identities.NODE_UID, node)
        name, uid = str(account["name"]), str(account["uid"])
        return service_account_identity(namespace, name, uid, extra)

    def _of_kept(self, token: str, claims: dict[str, Any], audiences: tuple[str, ...]) -> Proof:
        """A token that a Secret keeps: good while this very token stands in it."""
        if self._own_audience not in audiences:
            raise InvalidToken("the token is invalid: Audience doesn't match")
        namespace = str(claims.get(f"{KEPT_CLAIM}namespace", ""))
        account = {
            "name": claims.get(f"{KEPT_CLAIM}service-account.name"),
            "uid": claims.get(f"{KEPT_CLAIM}service-account.uid"),
        }
        secret = str(claims.get(f"{KEPT_CLAIM}secret.name", ""))
        self._check_exists(SERVICE_ACCOUNTS, namespace, account)
        stored = self._cache.of(SECRETS).get(f"{namespace}/{secret}")
        if stored is None or not _keeps(stored, token):
            raise InvalidToken("the token has been invalidated")
        identity = service_account_identity(namespace, str(account["name"]), str(account["uid"]))
        return Proof(identity, (self._own_audience,))

    def _check_exists(self, resource: Resource, namespace: str, bound: dict[str, Any]) -> None:
        stored = self._cache.of(resource).get(f"{namespace}/{bound.get('name', '')}")
        if stored is None:
            raise InvalidToken(f"the {resource.kind} of the token no longer exists")
        head = _decode_headed(stored.data).metadata
        if head.uid != bound.get("uid"):
            raise InvalidToken(f"the {resource.kind} of the token is another one")
        if head.deletion_timestamp and parse(head.deletion_timestamp) + _LEEWAY < self._clock():
            raise InvalidToken(f"the {resource.kind} of the token has been deleted")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _named(name: str, uid: str, bound: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    found = {name: bound.get("name"), uid: bound.get("uid")}
    return {key: (str(value),) for key, value in found.items() if value}


def _keeps(stored: StoredObject, token: str) -> bool:
    secret = _decode_secret(stored.data)
    if secret.metadata.deletion_timestamp or INVALID_SINCE in (secret.metadata.labels or {}):
        return False
    return hmac.compare_digest(plain(secret.data, "token").encode(), token.encode())
