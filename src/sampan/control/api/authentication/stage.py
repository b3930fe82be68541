"""The stage that finds out who makes a request.

A request without any identity is refused, but for the few paths that probes and clients ask
before they have one. One that shows a credential which isn't good is refused everywhere.
"""

import base64
import binascii
from collections import OrderedDict

from sampan.control.api.authentication import certificates
from sampan.control.api.authentication.configuration import Anonymous
from sampan.control.api.authentication.tokens import Tokens
from sampan.control.api.call import ANONYMOUS, Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.pki.tokens import InvalidToken
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.machinery import status

OPEN_PATHS = frozenset(("/healthz", "/livez", "/readyz", "/version"))
_REMEMBERED_CERTIFICATES = 1024
_BEARER = "bearer "
_SUBPROTOCOL = "base64url.bearer.authorization.k8s.io."
_Certificate = tuple[certificates.Subject, str]


class Authentication:
    """`anonymous` is what the configuration says of requests without a credential, if it does."""

    def __init__(self, tokens: Tokens, anonymous: Anonymous | None) -> None:
        self._tokens = tokens
        self._own = (tokens.own_audience,)
        self._anonymous = anonymous
        self._certificates: OrderedDict[_Certificate, Identity | None] = OrderedDict()

    async def __call__(self, call: Call, following: Handler) -> Response:
        """Raises Refused (401)."""
        identity = await self._identity(call.request)
        if identity is not None:
            call.identity = identity
        elif self._takes_anonymous(call.request.path):
            call.identity = ANONYMOUS
        else:
            raise Refused(status.unauthorized())
        # What has been checked goes no further: nobody behind this stage logs or forwards it.
        call.request.headers.pop("authorization", None)
        return await following(call)

    def _takes_anonymous(self, path: str) -> bool:
        if self._anonymous is None:
            return path in OPEN_PATHS
        paths = self._anonymous.paths
        return self._anonymous.enabled and (not paths or path in paths)

    async def _identity(self, request: Request) -> Identity | None:
        """None for a request that brings nothing."""
        if request.peer_subject:
            identity = self._of_certificate(request)
            if identity is not None:
                return identity
        token = _bearer(request.headers)
        if token is None:
            return None
        try:
            return (await self._tokens.proof(token, self._own)).identity
        except InvalidToken as error:
            raise Refused(status.unauthorized()) from error

    def _of_certificate(self, request: Request) -> Identity | None:
        key = (request.peer_subject, request.peer_fingerprint)
        if key in self._certificates:
            return self._certificates[key]
        identity = self._certificates[key] = certificates.identity_of(*key)
        if len(self._certificates) > _REMEMBERED_CERTIFICATES:
            self._certificates.popitem(last=False)
        return identity


def _bearer(headers: dict[str, str]) -> str | None:
    """The token that a request brings, None without any. Browsers can't set the header when
    they open a WebSocket, and hide the token among the subprotocols. Raises Refused (401)."""
    header = headers.get("authorization", "")
    if header:
        if header[: len(_BEARER)].lower() != _BEARER:
            raise Refused(status.unauthorized())
        return header[len(_BEARER) :].strip()
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        encoded = offered.strip()
        if encoded.startswith(_SUBPROTOCOL):
            return _unpacked(encoded[len(_SUBPROTOCOL) :])
    return None


def _unpacked(encoded: str) -> str:
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise Refused(status.unauthorized()) from error
