"""`serviceaccounts/NAME/token`: a signed token for an account, bound to an object if asked."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.forms.negotiation import wanted
from sampan.control.api.refusal import Refused
from sampan.control.api.subresources.form_review import reviewed
from sampan.control.api.subresources.token_binding import bound_claims, check_node
from sampan.control.api.writing.decoding import Form, decoded
from sampan.control.api.writing.writer import Writer
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import SERVICE_ACCOUNTS
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import invalid
from sampan.kubernetes.machinery.generated_names import new_uid
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.kubernetes.schema.definitions import definition_name

_GROUP = "authentication.k8s.io"
_FORM = Form(definition_name(_GROUP, "v1", "TokenRequest"), "TokenRequest", f"{_GROUP}/v1")
_DEFAULT_SECONDS, _SHORTEST, _LONGEST = 3600, 600, 2**32


class Token:
    def __init__(
        self,
        writer: Writer,
        cache: WatchCache,
        authorizer: Authorizer,
        signer: TokenSigner,
        *,
        audience: str,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._writer = writer
        self._cache = cache
        self._authorizer = authorizer
        self._signer = signer
        self._audience = audience
        self._clock = clock
        self._random = random

    async def create(self, call: Call) -> Response:
        """Raises Refused: 404 for an absent account or object to be bound to, 409 for another
        uid than that object's, 400 and 422 for what can't be asked, 403 for a node's excess."""
        body = await decoded(call, _FORM)
        stored = self._cache.of(SERVICE_ACCOUNTS).get(object_key(call))
        if stored is None:
            raise Refused(status.not_found(SERVICE_ACCOUNTS, call.attributes.name))
        request = await reviewed(self._writer, call, body.tree, _FORM)
        spec = request.setdefault("spec", {})
        account = stored.decoded()["metadata"]
        seconds = _seconds(spec, account["name"])
        reference = spec.get("boundObjectRef") or {}
        bound = bound_claims(self._cache, reference, account["namespace"], account["name"])
        if node_name(call.identity):
            check_node(self._cache, self._authorizer, call, spec)
        spec["audiences"] = spec.get("audiences") or [self._audience]
        spec["expirationSeconds"] = seconds
        until = self._clock() + timedelta(seconds=seconds)
        token = self._signer.sign(self._claims(account, bound, spec["audiences"], until))
        request["metadata"] = {
            "name": account["name"],
            "namespace": account["namespace"],
            "creationTimestamp": to_seconds(self._clock()),
        }
        request["status"] = {"token": token, "expirationTimestamp": to_seconds(until)}
        return rendering.document(request, wanted(call.request.headers.get("accept", "")), 201)

    def _claims(
        self, account: Object, bound: Object, audiences: list[str], until: datetime
    ) -> dict[str, Any]:
        now = int(self._clock().timestamp())
        private = {
            "namespace": account["namespace"],
            "serviceaccount": {"name": account["name"], "uid": account["uid"]},
        }
        return {
            "aud": audiences,
            "exp": int(until.timestamp()),
            "iat": now,
            "nbf": now,
            "jti": new_uid(self._random),
            "kubernetes.io": private | bound,
            "sub": f"system:serviceaccount:{account['namespace']}:{account['name']}",
        }


def _seconds(spec: Object, name: str) -> int:
    given = spec.get("expirationSeconds")
    seconds = _DEFAULT_SECONDS if given is None else int(given)
    if _SHORTEST <= seconds <= _LONGEST:
        return seconds
    detail = (
        "may not specify a duration less than 10 minutes"
        if seconds < _SHORTEST
        else "may not specify a duration larger than 2^32 seconds"
    )
    cause = invalid("spec.expirationSeconds", seconds, detail)
    raise Refused(status.invalid(_GROUP, "TokenRequest", name, [cause]))
