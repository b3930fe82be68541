"""Questions to the API about the caller itself or about others: may it, who is it."""

from typing import Any

import msgspec

from sampan.control.api import rendering
from sampan.control.api.attributes import Attributes
from sampan.control.api.authentication import Authentication
from sampan.control.api.authorization.authorizer import ADMINISTRATORS, Authorizer
from sampan.control.api.authorization.rules import PolicyRule
from sampan.control.api.call import Call
from sampan.control.api.creating import form_of
from sampan.control.api.decoding import decoded
from sampan.control.api.negotiation import wanted
from sampan.control.api.refusal import Refused
from sampan.foundation.pki.tokens import InvalidToken
from sampan.foundation.wire.message import Identity, Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import status

_ALL_RULES = (
    PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)),
    PolicyRule(verbs=("*",), non_resource_urls=("*",)),
)


class Reviews:
    """The handler of `create` for every kind of review."""

    def __init__(
        self, authorizer: Authorizer, authentication: Authentication, audience: str
    ) -> None:
        self._authorizer = authorizer
        self._authentication = authentication
        self._audience = audience

    async def create(self, call: Call) -> Response:
        body = await decoded(call, form_of(call.routed))
        review = body.tree
        review["metadata"] = {"creationTimestamp": None}
        spec = review.get("spec") or {}
        answer = {
            "SelfSubjectAccessReview": self._access,
            "SubjectAccessReview": self._access,
            "LocalSubjectAccessReview": self._access,
            "SelfSubjectRulesReview": self._rules,
            "SelfSubjectReview": self._self,
            "TokenReview": self._token,
        }[call.routed.resource.kind]
        review["status"] = answer(call, spec)
        return rendering.document(review, wanted(call.request.headers.get("accept", "")), 201)

    def _access(self, call: Call, spec: Object) -> Object:
        kind = call.routed.resource.kind
        identity = call.identity if kind == "SelfSubjectAccessReview" else _subject(spec)
        attributes = _attributes(spec)
        if kind == "LocalSubjectAccessReview" and attributes.namespace != call.attributes.namespace:
            message = "spec.resourceAttributes.namespace must match the namespace of the request"
            raise Refused(status.bad_request(message))
        return {"allowed": self._authorizer.allows(identity, attributes)}

    def _rules(self, call: Call, spec: Object) -> Object:
        if ADMINISTRATORS in call.identity.groups:
            rules: tuple[PolicyRule, ...] = _ALL_RULES
        else:
            namespace = spec.get("namespace", "")
            rules = tuple(self._authorizer.roles.rules_in(call.identity, namespace))
        return {
            "resourceRules": [_shown(it) for it in rules if not it.non_resource_urls],
            "nonResourceRules": [_shown(it) for it in rules if it.non_resource_urls],
            "incomplete": False,
        }

    def _self(self, call: Call, _spec: Object) -> Object:
        return {"userInfo": _user_info(call.identity)}

    def _token(self, _call: Call, spec: Object) -> Object:
        audiences = tuple(spec.get("audiences") or (self._audience,))
        try:
            identity = self._authentication.from_token(spec.get("token", ""), audiences)
        except InvalidToken as error:
            return {"user": {}, "error": str(error)}
        return {"authenticated": True, "user": _user_info(identity), "audiences": list(audiences)}


def _subject(spec: Object) -> Identity:
    if not spec.get("user") and not spec.get("groups"):
        raise Refused(status.bad_request("at least one of user or group must be specified"))
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return Identity(spec.get("user", ""), tuple(spec.get("groups") or ()), extra=extra)


def _attributes(spec: Object) -> Attributes:
    resource: Any = spec.get("resourceAttributes")
    other: Any = spec.get("nonResourceAttributes")
    if (resource is None) == (other is None):
        raise Refused(
            status.bad_request(
                "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            )
        )
    if other is not None:
        return Attributes(verb=other.get("verb", ""), path=other.get("path", ""))
    return Attributes(
        verb=resource.get("verb", ""),
        path="",
        is_resource=True,
        group=resource.get("group", ""),
        version=resource.get("version", ""),
        resource=resource.get("resource", ""),
        subresource=resource.get("subresource", ""),
        namespace=resource.get("namespace", ""),
        name=resource.get("name", ""),
    )


def _shown(rule: PolicyRule) -> Object:
    return {name: value for name, value in msgspec.to_builtins(rule).items() if value}


def _user_info(identity: Identity) -> Object:
    shown: Object = {"username": identity.name, "groups": list(identity.groups)}
    if identity.uid:
        shown["uid"] = identity.uid
    if identity.extra:
        shown["extra"] = {key: list(values) for key, values in identity.extra.items()}
    return shown
