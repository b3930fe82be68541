"""`serviceaccounts/NAME/token`: a signed token for an account, bound to a pod if asked."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sampan.control.api import rendering
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.decoding import Form, decoded
from sampan.control.api.names import new_uid
from sampan.control.api.negotiation import Wanted
from sampan.control.api.refusal import Refused
from sampan.control.api.updating import object_key
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS, SERVICE_ACCOUNTS
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import invalid
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.kubernetes.schema.definitions import definition_name

_GROUP = "authentication.k8s.io"
_FORM = Form(definition_name(_GROUP, "v1", "TokenRequest"), "TokenRequest", f"{_GROUP}/v1")
_DEFAULT_SECONDS, _SHORTEST, _LONGEST = 3600, 600, 2**32


class Token:
    def __init__(
        self,
        cache: WatchCache,
        signer: TokenSigner,
        audience: str,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._cache = cache
        self._signer = signer
        self._audience = audience
        self._clock = clock
        self._random = random

    async def create(self, call: Call) -> Response:
        """Raises Refused: 404 for an absent account or pod, 409 for another pod's uid, 422."""
        body = await decoded(call, _FORM)
        stored = self._cache.of(SERVICE_ACCOUNTS).get(object_key(call))
        if stored is None:
            raise Refused(status.not_found(SERVICE_ACCOUNTS, call.attributes.name))
        request, spec = body.tree, body.tree.setdefault("spec", {})
        spec["audiences"] = spec.get("audiences") or [self._audience]
        spec["expirationSeconds"] = _seconds(spec, call.attributes.name)
        account = stored.decoded()["metadata"]
        bound: dict[str, Any] = {
            "namespace": account["namespace"],
            "serviceaccount": {"name": account["name"], "uid": account["uid"]},
        }
        reference = spec.get("boundObjectRef")
        if reference:
            bound |= self._bound(call, reference, account["namespace"])
        elif node_name(call.identity):
            raise Refused(
                status.forbidden(
                    SERVICE_ACCOUNTS, account["name"], "node requested token not bound to a pod"
                )
            )
        until = self._clock() + timedelta(seconds=spec["expirationSeconds"])
        token = self._signer.sign(self._claims(account, bound, spec["audiences"], until))
        request["metadata"] = {"name": account["name"], "namespace": account["namespace"]}
        request["status"] = {"token": token, "expirationTimestamp": to_seconds(until)}
        return rendering.document(request, Wanted(), 201)

    def _claims(
        self, account: Object, bound: Object, audiences: list[str], until: datetime
    ) -> dict[str, Any]:
        now = int(self._clock().timestamp())
        return {
            "aud": audiences,
            "exp": int(until.timestamp()),
            "iat": now,
            "nbf": now,
            "jti": new_uid(self._random),
            "kubernetes.io": bound,
            "sub": f"system:serviceaccount:{account['namespace']}:{account['name']}",
        }

    def _bound(self, call: Call, reference: Object, namespace: str) -> Object:
        """The claims of a token that lives no longer than its pod."""
        name = str(reference.get("name", ""))
        if reference.get("kind") != PODS.kind or reference.get("apiVersion", "v1") != "v1":
            message = f"cannot bind token for serviceaccount to kind {reference.get('kind')!r}"
            raise Refused(status.bad_request(message))
        stored = self._cache.of(PODS).get(f"{namespace}/{name}")
        if stored is None:
            raise Refused(status.not_found(PODS, name))
        pod = stored.decoded()
        uid, spec = pod["metadata"]["uid"], pod.get("spec") or {}
        if reference.get("uid") and reference["uid"] != uid:
            explanation = (
                f"the UID in the bound object reference ({reference['uid']}) does not match"
            )
            raise Refused(status.conflict(PODS, name, explanation))
        node = node_name(call.identity)
        account = spec.get("serviceAccountName")
        if account != call.attributes.name or (node and spec.get("nodeName") != node):
            explanation = "the pod does not run as this service account on the caller's node"
            raise Refused(status.forbidden(PODS, name, explanation))
        claims: Object = {"pod": {"name": name, "uid": uid}}
        if spec.get("nodeName"):
            claims["node"] = {"name": spec["nodeName"]}
        return claims


def _seconds(spec: Object, name: str) -> int:
    seconds = int(spec.get("expirationSeconds") or _DEFAULT_SECONDS)
    if _SHORTEST <= seconds <= _LONGEST:
        return seconds
    detail = (
        "may not specify a duration less than 10 minutes"
        if seconds < _SHORTEST
        else "may not specify a duration larger than 2^32 seconds"
    )
    cause = invalid("spec.expirationSeconds", seconds, detail)
    raise Refused(status.invalid(_GROUP, "TokenRequest", name, [cause]))
