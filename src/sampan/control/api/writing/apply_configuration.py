"""The body of an apply patch: a configuration, whole where its writer has an opinion."""

import asyncio
from typing import Any

from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.decoding import Form, policy_of
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import codecs, status, yaml_documents
from sampan.kubernetes.machinery.field_merge import check_items
from sampan.kubernetes.machinery.field_places import Members
from sampan.kubernetes.schema import structure

CONTENT_TYPE = "application/apply-patch+yaml"
# YAML takes a hundred times as long to read as JSON: larger bodies would hold the loop.
_QUICK_YAML = 4096


async def decoded(call: Call, group_version: str) -> Object:
    """The configuration, whose apiVersion must be this one. Raises Refused (400)."""
    body = await _decode(call.request)
    policy = policy_of(call.request)
    tree: Object = body.tree
    problems = [status.duplicate_field(path) for path in body.duplicates]
    if problems and policy == "Strict":
        listed = ", ".join(problems)
        if body.complaints:
            lines = "\n".join(f"  {line}" for line in body.complaints)
            listed = f"error converting YAML to JSON: yaml: unmarshal errors:\n{lines}"
        raise Refused(status.bad_request(f"error strict decoding YAML: {listed}"))
    if policy == "Warn":
        call.warnings += problems
    if tree.get("apiVersion", "") != group_version:
        raise Refused(
            status.bad_request(
                "Incorrect version specified in apply patch. Specified patch version: "
                f"{tree.get('apiVersion', '')}, expected: {group_version}"
            )
        )
    metadata = tree.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise Refused(status.bad_request("metadata.managedFields must be nil"))
    return tree


async def _decode(request: Request) -> codecs.Decoded:
    content = await request.read_body()
    try:
        if content.lstrip()[:1] == b"{":
            try:
                return codecs.decode_object(content)
            except codecs.InvalidBody:
                if len(content) > _QUICK_YAML:
                    raise
        if len(content) <= _QUICK_YAML:
            found = yaml_documents.decode(content)
        else:
            found = await asyncio.to_thread(yaml_documents.decode, content)
    except codecs.InvalidBody as error:
        raise Refused(status.bad_request(f"error decoding YAML: {error}")) from error
    if not isinstance(found.tree, dict):
        raise Refused(status.bad_request("error decoding YAML: the patch is not an object"))
    return found


def hold_to_schema(form: Form, tree: Object, place: Members | None = None) -> None:
    """Bring a configuration into canonical form; it may lack what is required.

    Raises Refused (400) for what the schema doesn't know, and for items of lists, by their
    `place`, that can't be told apart.
    """
    try:
        findings = form.check(tree) if form.check else structure.check(form.definition, tree)
    except structure.WrongType as error:
        raise _untyped(form, tree, [str(error)]) from error
    tree.setdefault("metadata", {})
    problems = [f".{path}: field not declared in schema" for path in findings.unknown]
    if place is not None:
        problems += check_items(place, tree)
    if problems:
        raise _untyped(form, tree, problems)


def _untyped(form: Form, tree: Object, problems: list[str]) -> Refused:
    given = tree.get("metadata")
    metadata: dict[str, Any] = given if isinstance(given, dict) else {}
    where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    listed = problems[0]
    if len(problems) > 1:
        listed = "errors:\n" + "\n".join(f"  {problem}" for problem in problems)
    return Refused(
        status.bad_request(
            f"failed to create typed patch object ({where}; {form.group_version}, "
            f"Kind={form.kind}): {listed}"
        )
    )
