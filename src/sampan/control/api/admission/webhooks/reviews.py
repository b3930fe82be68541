"""AdmissionReview: the question that goes to a webhook, and what its answer says.

The rules for answers are those of k8s.io/apiserver `admission/plugin/webhook/request`.
"""

import base64
import binascii
from typing import Any

import msgspec

from sampan.control.api.admission.matching.request_form import request_form
from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import status

_API_VERSION, _KIND = "admission.k8s.io/v1", "AdmissionReview"
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_MOST_WARNINGS = 32


class InvalidAnswer(ValueError):
    """The webhook's answer is no proper review."""


class Verdict(msgspec.Struct, frozen=True):
    """`refusal` is the Status of a webhook that says no; `patch` the operations of one that
    changes the object."""

    refusal: Object | None = None
    patch: list[Object] = []
    warnings: tuple[str, ...] = ()
    annotations: dict[str, str] = {}


def question(
    write: Write, target: Kind, objects: tuple[Object | None, Object | None], uid: str
) -> bytes:
    """The body that is posted; `objects` are the new and the old one in the target's version."""
    request = request_form(write, target, uid)
    request["object"], request["oldObject"] = objects
    return _encode({"kind": _KIND, "apiVersion": _API_VERSION, "request": request})


def verdict(name: str, body: bytes, uid: str, *, mutating: bool) -> Verdict:
    """What the webhook `name` answered. Raises InvalidAnswer."""
    response = _response(body, uid)
    patch = _patch(response, mutating=mutating)
    warnings = response.get("warnings")
    annotations = response.get("auditAnnotations")
    return Verdict(
        refusal=None if response.get("allowed") is True else _refusal(name, response),
        patch=patch,
        warnings=tuple(map(str, warnings[:_MOST_WARNINGS])) if isinstance(warnings, list) else (),
        annotations={f"{name}/{key}": str(value) for key, value in annotations.items()}
        if isinstance(annotations, dict)
        else {},
    )


def _response(body: bytes, uid: str) -> Object:
    try:
        review = _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidAnswer(f"the answer is no JSON object: {error}") from error
    response = review.get("response")
    if not isinstance(response, dict):
        raise InvalidAnswer("webhook response was absent")
    if response.get("uid") != uid:
        raise InvalidAnswer(
            f'expected response.uid="{uid}", got "{str(response.get("uid", ""))[:80]}"'
        )
    if (review.get("apiVersion"), review.get("kind")) != (_API_VERSION, _KIND):
        given = f"{str(review.get('apiVersion', ''))[:80]}, Kind={str(review.get('kind', ''))[:80]}"
        raise InvalidAnswer(
            f"expected webhook response of {_API_VERSION}, Kind={_KIND}, got {given}"
        )
    return response


def _patch(response: Object, *, mutating: bool) -> list[Object]:
    given, kind = response.get("patch") or "", response.get("patchType")
    if not mutating:
        for name, value in (("patch", given), ("patchType", kind)):
            if value:
                raise InvalidAnswer(f"validating webhook may not return response.{name}")
        return []
    if given and kind is None:
        raise InvalidAnswer("webhook returned response.patch but not response.patchType")
    if kind is not None and not given:
        raise InvalidAnswer("webhook returned response.patchType but not response.patch")
    if kind not in (None, "JSONPatch"):
        raise InvalidAnswer(f'unsupported patch type "{str(kind)[:80]}"')
    if not given:
        return []
    try:
        operations = msgspec.json.decode(base64.b64decode(given, validate=True))
    except (binascii.Error, msgspec.DecodeError, TypeError) as error:
        raise InvalidAnswer(f"the patch can't be read: {error}") from error
    if not isinstance(operations, list):
        raise InvalidAnswer("the patch is no list of operations")
    return operations


def _refusal(name: str, response: Object) -> Object:
    """The Status that the client gets."""
    given = response.get("status") or {}
    result: Object = given if isinstance(given, dict) else {}
    denied = f'admission webhook "{name}" denied the request'
    message, reason = str(result.get("message") or ""), str(result.get("reason") or "")
    explanation = message or reason
    text = f"{denied}: {explanation}" if explanation else f"{denied} without explanation"
    code = result.get("code")
    refusal = status.failure(
        code if isinstance(code, int) and 400 <= code < 600 else 400, reason, text
    )
    if isinstance(result.get("details"), dict):
        refusal["details"] = result["details"]
    return refusal
