"""Bodies of writes: from bytes to a tree of the right kind that holds to its schema.

The body is taken from the wire here, after authorization, and never more than the server's
limit of it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from sampan.control.api.admission.write import Template
from sampan.control.api.call import Call
from sampan.control.api.protobuf import decoding as protobuf
from sampan.control.api.protobuf.envelope import CONTENT_TYPE as PROTOBUF
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.templates import Templates
from sampan.foundation.wire.message import Request
from sampan.foundation.wire.protobuf import InvalidProtobuf
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import codecs, status, strict_findings, yaml_documents
from sampan.kubernetes.machinery.causes import invalid
from sampan.kubernetes.schema import structure

Policy = Literal["Strict", "Warn", "Ignore"]

_POLICIES: dict[str, Policy] = {"": "Warn", "Strict": "Strict", "Warn": "Warn", "Ignore": "Ignore"}
_JSON = ("", "application/json")
_YAML = ("application/yaml", "application/x-yaml", "text/yaml")
_SUPPORTED = ("application/json", "application/yaml", PROTOBUF)
_SHOWN_PATCH = 400
# YAML takes a hundred times as long to read as JSON, protobuf ten times: larger bodies would
# hold the loop.
_QUICK_YAML = 4096
_QUICK_PROTOBUF = 16384


class Form(msgspec.Struct, frozen=True):
    """What a body must be: its schema's name, kind and apiVersion.

    `check` holds it to a schema that a custom resource brings, in place of a published one.
    """

    definition: str
    kind: str
    group_version: str
    check: Callable[[Object], structure.Findings] | None = None


class Body(msgspec.Struct):
    """A decoded object, and the rules of its schema that it breaks.

    With a `template` the object's spec is the template's, and is shared.
    """

    tree: Object
    causes: list[Cause]
    template: Template | None = None


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def policy_of(request: Request) -> Policy:
    """What becomes of unknown fields. Raises Refused (400)."""
    given = request.parameter("fieldValidation")
    if given not in _POLICIES:
        raise Refused(status.bad_request(f"fieldValidation: Unsupported value: {given!r}"))
    return _POLICIES[given]


async def decoded(call: Call, form: Form, templates: Templates | None = None) -> Body:
    """The object that a create or update brings. Raises Refused (400, 413, 415)."""
    policy = policy_of(call.request)
    raw = await call.request.read_body()
    body_type = media_type(call.request)
    cut = templates.cut(call, raw) if templates is not None and body_type in _JSON else None
    body = raw if cut is None else cut.rest
    content = await _decode(body_type, body, form, watchful=policy != "Ignore")
    tree = content.tree
    _check_kind(tree, form)
    if cut is not None:
        del tree["spec"]
    findings = _checked(form, tree)
    if cut is not None:
        tree["spec"] = cut.template.defaulted
    problems = _problems(call, form, raw, content.duplicates, findings.unknown)
    if problems and policy == "Strict":
        raise Refused(status.strict_decoding(form.group_version, form.kind, problems))
    if policy == "Warn":
        call.warnings += problems
    return Body(tree, findings.causes, cut.template if cut is not None else None)


def _problems(
    call: Call, form: Form, raw: bytes, duplicates: tuple[str, ...], unknown: list[str]
) -> list[str]:
    """What strict decoding objects to, in the words and the order in which clients know it."""
    if duplicates and form.check is None and media_type(call.request) in _JSON:
        return strict_findings.in_order(raw, unknown)
    problems = [status.duplicate_field(path) for path in duplicates]
    return problems + [status.unknown_field(path) for path in unknown]


def patched(call: Call, form: Form, tree: Object, patch: bytes) -> Body:
    """The result of a patch, held to the schema. Raises Refused (400, 422)."""
    policy = policy_of(call.request)
    twice = () if policy == "Ignore" else _duplicates_in(patch)
    _check_kind(tree, form)
    try:
        findings = _findings(form, tree)
    except structure.WrongType as error:
        raise Refused(_unfit(patch, str(error))) from error
    problems = [status.duplicate_field(path) for path in twice]
    problems += [status.unknown_field(path) for path in findings.unknown]
    if problems and policy == "Strict":
        raise Refused(_unfit(patch, f"strict decoding error: {', '.join(problems)}"))
    if policy == "Warn":
        call.warnings += [it for it in problems if it not in call.warnings]
    return Body(tree, findings.causes)


def _unfit(patch: bytes, detail: str) -> Object:
    shown = patch[:_SHOWN_PATCH].decode(errors="replace")
    return status.invalid("", "", "", [invalid("patch", shown, detail)])


def _duplicates_in(patch: bytes) -> tuple[str, ...]:
    """The fields that a patch in JSON names twice; none of one in another form."""
    try:
        return codecs.decode_json(patch).duplicates
    except codecs.InvalidBody:
        return ()


async def options_value(body: bytes, content_type: str, kind: str) -> Any:
    """What a body of options of `kind` holds. Raises Refused (400)."""
    try:
        if content_type == PROTOBUF:
            return protobuf.decode(body, "v1", kind)
        if content_type in _YAML:
            return (await _from_yaml(body)).tree
        return codecs.decode_json(body, report_duplicates=False).tree
    except (codecs.InvalidBody, InvalidProtobuf) as error:
        raise Refused(status.bad_request(str(error))) from error


def json_patch_value(body: bytes) -> Any:
    """The value of a patch in JSON. Raises Refused (400)."""
    try:
        return codecs.decode_json(body, report_duplicates=False).tree
    except codecs.InvalidBody as error:
        raise Refused(status.bad_request(str(error))) from error


async def _from_yaml(body: bytes) -> codecs.Decoded:
    if len(body) <= _QUICK_YAML:
        return yaml_documents.decode(body)
    return await asyncio.to_thread(yaml_documents.decode, body)


async def _from_protobuf(body: bytes, form: Form) -> Object:
    if len(body) <= _QUICK_PROTOBUF:
        return protobuf.decode(body, form.group_version, form.kind)
    return await asyncio.to_thread(protobuf.decode, body, form.group_version, form.kind)


async def _decode(content_type: str, body: bytes, form: Form, *, watchful: bool) -> codecs.Decoded:
    """`watchful` looks for fields that the body names twice."""
    try:
        if content_type == PROTOBUF and form.check is None:
            return codecs.Decoded(await _from_protobuf(body, form))
        if content_type in _JSON:
            return codecs.decode_object(body, report_duplicates=watchful)
        if content_type in _YAML:
            content = await _from_yaml(body)
            if not isinstance(content.tree, dict):
                raise codecs.InvalidBody("couldn't get version/kind; the body is not an object")
            return content
    except (codecs.InvalidBody, InvalidProtobuf) as error:
        raise Refused(status.bad_request(str(error))) from error
    supported = _SUPPORTED if form.check is None else _SUPPORTED[:-1]
    raise Refused(status.unsupported_media_type(supported))


def _check_kind(tree: Object, form: Form) -> None:
    """A body may leave out what its URL says; it may not say otherwise."""
    version, kind = tree.setdefault("apiVersion", ""), tree.setdefault("kind", "")
    if version and version != form.group_version:
        raise Refused(
            status.bad_request(
                f"the API version in the data ({version}) does not match the expected API "
                f"version ({form.group_version})"
            )
        )
    if kind and kind != form.kind:
        raise Refused(
            status.bad_request(
                f"the kind in the data ({kind}) does not match the expected kind ({form.kind})"
            )
        )
    tree["apiVersion"], tree["kind"] = form.group_version, form.kind


def _checked(form: Form, tree: Object) -> structure.Findings:
    try:
        return _findings(form, tree)
    except structure.WrongType as error:
        refusal = status.cannot_decode(form.group_version, form.kind, str(error))
        raise Refused(refusal) from error


def _findings(form: Form, tree: Object) -> structure.Findings:
    """Hold a tree to the schema of its form. Raises WrongType."""
    if form.check is not None:
        findings = form.check(tree)
    else:
        findings = structure.check(form.definition, tree)
    tree.setdefault("metadata", {})
    return findings
