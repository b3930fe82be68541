"""Who makes the request: from a verified client certificate or a bearer token.

A request without any identity is refused, but for the few paths that probes and clients ask
before they have one. A token's account (and pod, if it is bound to one) must still exist.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import ANONYMOUS, Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.pki.tokens import InvalidToken, TokenSigner
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.kinds.resource import PODS, SERVICE_ACCOUNTS, Resource
from sampan.kubernetes.machinery import status

AUTHENTICATED = "system:authenticated"
OPEN_PATHS = frozenset(("/healthz", "/livez", "/readyz", "/version"))
_REMEMBERED_TOKENS = 1024
_REMEMBERED_SUBJECTS = 1024
_BEARER = "bearer "
_CREDENTIAL = "authentication.kubernetes.io/credential-id"


class _Identifier(msgspec.Struct):
    uid: str


class _Identified(msgspec.Struct):
    metadata: _Identifier


_decode_identified = msgspec.json.Decoder(_Identified).decode


class Authentication:
    """The stage; also answers TokenReview."""

    def __init__(
        self,
        cache: WatchCache,
        signer: TokenSigner,
        audience: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._signer = signer
        self._audience = audience
        self._clock = clock
        self._tokens: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._subjects: OrderedDict[tuple[tuple[str, str], ...], Identity | None] = OrderedDict()

    async def __call__(self, call: Call, following: Handler) -> Response:
        identity = self.identify(call.request)
        if identity is not None:
            call.identity = identity
        elif call.request.path not in OPEN_PATHS:
            raise Refused(status.unauthorized())
        else:
            call.identity = ANONYMOUS
        return await following(call)

    def identify(self, request: Request) -> Identity | None:
        """None for a request that brings nothing; raises Refused (401) for a bad token."""
        if request.peer_subject:
            identity = self._from_subject(request.peer_subject)
            if identity is not None:
                return identity
        header = request.headers.get("authorization", "")
        if not header:
            return None
        if header[: len(_BEARER)].lower() != _BEARER:
            raise Refused(status.unauthorized())
        try:
            return self.from_token(header[len(_BEARER) :].strip(), (self._audience,))
        except InvalidToken as error:
            raise Refused(status.unauthorized()) from error

    def from_token(self, token: str, audiences: tuple[str, ...]) -> Identity:
        """The service account that a token stands for. Raises InvalidToken."""
        claims = self._claims(token, audiences)
        bound = claims.get("kubernetes.io")
        if not isinstance(bound, dict):
            raise InvalidToken("the token is not bound to a service account")
        namespace = str(bound.get("namespace", ""))
        account, pod = bound.get("serviceaccount") or {}, bound.get("pod") or {}
        self._check_exists(SERVICE_ACCOUNTS, namespace, account)
        extra: dict[str, tuple[str, ...]] = {_CREDENTIAL: (f"JTI={claims.get('jti', '')}",)}
        if pod:
            self._check_exists(PODS, namespace, pod)
            extra["authentication.kubernetes.io/pod-name"] = (str(pod["name"]),)
            extra["authentication.kubernetes.io/pod-uid"] = (str(pod["uid"]),)
        return service_account_identity(namespace, account["name"], account["uid"], extra)

    def _claims(self, token: str, audiences: tuple[str, ...]) -> dict[str, Any]:
        """Verifying a signature takes longer than all the rest of a small request."""
        key = hashlib.sha256("\n".join((token, *audiences)).encode()).digest()
        claims = self._tokens.get(key)
        now = self._clock()
        if claims is not None and now.timestamp() < claims["exp"]:
            return claims
        claims = self._signer.verify(token, audiences, now)
        self._tokens[key] = claims
        if len(self._tokens) > _REMEMBERED_TOKENS:
            self._tokens.popitem(last=False)
        return claims

    def _check_exists(self, resource: Resource, namespace: str, bound: dict[str, Any]) -> None:
        stored = self._cache.of(resource).get(f"{namespace}/{bound.get('name', '')}")
        if stored is None or _decode_identified(stored.data).metadata.uid != bound.get("uid"):
            raise InvalidToken(f"the {resource.kind} of the token no longer exists")

    def _from_subject(self, subject: tuple[tuple[str, str], ...]) -> Identity | None:
        if subject in self._subjects:
            return self._subjects[subject]
        name = next((value for key, value in subject if key == "commonName"), "")
        groups = tuple(value for key, value in subject if key == "organizationName")
        identity = Identity(name=name, groups=(*groups, AUTHENTICATED)) if name else None
        self._subjects[subject] = identity
        if len(self._subjects) > _REMEMBERED_SUBJECTS:
            self._subjects.popitem(last=False)
        return identity


def service_account_identity(
    namespace: str, name: str, uid: str = "", extra: dict[str, tuple[str, ...]] | None = None
) -> Identity:
    """The user name and groups that Kubernetes gives a service account."""
    return Identity(
        name=f"system:serviceaccount:{namespace}:{name}",
        groups=(
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            AUTHENTICATED,
        ),
        uid=uid,
        extra=extra or {},
    )
