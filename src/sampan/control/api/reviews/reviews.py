"""Questions to the API about the caller itself or about others: may it, who is it."""

from sampan.control.api.authentication.identities import user_information
from sampan.control.api.authentication.tokens import Tokens
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.rules_review import rules_status
from sampan.control.api.call import Call
from sampan.control.api.forms import rendering
from sampan.control.api.forms.negotiation import wanted
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import dry_run_of
from sampan.control.api.reviews import access_questions
from sampan.control.api.writing.creating import form_of
from sampan.control.api.writing.decoding import decoded
from sampan.foundation.pki.tokens import InvalidToken
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import status


class Reviews:
    """The handler of `create` for every kind of review."""

    def __init__(self, authorizer: Authorizer, tokens: Tokens) -> None:
        self._authorizer = authorizer
        self._tokens = tokens

    async def create(self, call: Call) -> Response:
        """Raises Refused: 406 for a form that a review hasn't, 400 or 422 for a question that
        can't be answered."""
        kind = call.routed.resource
        form = wanted(call.request.headers.get("accept", ""), transformed=False)
        body = await decoded(call, form_of(call.routed))
        dry_run_of(call.request)
        if body.causes:
            raise Refused(status.invalid(kind.group, kind.kind, "", body.causes))
        review = body.tree
        review["metadata"] = {"creationTimestamp": None, **_kept(review["metadata"])}
        spec = review.get("spec") or {}
        review["status"] = await self._answer(call, kind.kind, spec)
        return rendering.document(review, form, 201)

    async def _answer(self, call: Call, kind: str, spec: Object) -> Object:
        if kind == "TokenReview":
            return await self._token(spec)
        if kind == "SelfSubjectReview":
            return {"userInfo": user_information(call.identity)}
        if kind == "SelfSubjectRulesReview":
            namespace = spec.get("namespace", "")
            if not namespace:
                raise Refused(status.bad_request("no namespace on request"))
            return rules_status(self._authorizer, call.identity, namespace)
        return self._access(call, kind, spec)

    def _access(self, call: Call, kind: str, spec: Object) -> Object:
        subject = None if kind.startswith("Self") else access_questions.subject_of(spec)
        causes: list[Cause] = access_questions.problems(kind, spec, call.attributes.namespace)
        if causes:
            group = call.routed.resource.group
            raise Refused(status.invalid(group, kind, "", causes))
        question = access_questions.attributes_of(spec)
        fields = access_questions.fields_of(spec)
        identity = call.identity if subject is None else subject
        decision = self._authorizer.decision(identity, question, fields)
        answer: Object = {"allowed": decision.allowed}
        return answer | ({"reason": decision.reason} if decision.reason else {})

    async def _token(self, spec: Object) -> Object:
        token = spec.get("token", "")
        if not token:
            message = "token is required for TokenReview in authentication"
            raise Refused(status.bad_request(message))
        audiences = tuple(spec.get("audiences") or (self._tokens.own_audience,))
        try:
            proof = await self._tokens.proof(token, audiences)
        except InvalidToken as error:
            return {"user": {}, "error": str(error)}
        return {
            "authenticated": True,
            "user": user_information(proof.identity),
            "audiences": list(proof.audiences),
        }


def _kept(metadata: Object) -> Object:
    """Of a review's metadata a name is given back: who asks may tell answers apart by it."""
    return {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}
