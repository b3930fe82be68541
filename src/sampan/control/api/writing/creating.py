"""POST to a collection."""

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.call import Call
from sampan.control.api.forms import rendering
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import write_options
from sampan.control.api.writing import owner_references
from sampan.control.api.writing.decoding import Form, decoded
from sampan.control.api.writing.field_management import updating_owners
from sampan.control.api.writing.templates import Templates
from sampan.control.api.writing.writer import Writer, Written
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.machinery import status


def form_of(kind: Kind) -> Form:
    """What the body of a write to the main resource must be."""
    check = kind.custom.check if kind.custom is not None else None
    return Form(kind.definition, kind.resource.kind, kind.resource.group_version, check)


async def create_where_absent(
    writer: Writer, authorizer: Authorizer, call: Call, write: Write, *, dry_run: bool
) -> Written:
    """Make the object that a PUT or an apply didn't find, for those who may create it.

    Raises Refused: 403, 409 when the object that the client meant had a uid.
    """
    creation = msgspec.structs.replace(call.attributes, verb="create")
    authorizer.require(call.identity, creation)
    uid = write.object["metadata"].get("uid")
    if uid:
        explanation = (
            f"uid mismatch: the provided object specified uid {uid}, "
            "and no existing object was found"
        )
        raise Refused(status.conflict(call.routed.resource, call.attributes.name, explanation))
    return await writer.create(write, dry_run=dry_run)


class Creating:
    """The handler of `create`."""

    def __init__(self, writer: Writer, templates: Templates, clock: rendering.Clock) -> None:
        self._writer = writer
        self._templates = templates
        self._clock = clock

    async def __call__(self, call: Call) -> Response:
        kind = call.routed
        options = write_options(call.request, "CreateOptions")
        body = await decoded(call, form_of(kind), self._templates)
        namespace = call.attributes.namespace if kind.resource.namespaced else ""
        metadata = body.tree["metadata"]
        given = metadata.get("namespace", "")
        if kind.resource.namespaced:
            if not namespace:
                raise Refused(status.bad_request("an empty namespace may not be set on creation"))
            if given and given != namespace:
                raise Refused(
                    status.bad_request(
                        "the namespace of the provided object does not match the namespace sent "
                        "on the request"
                    )
                )
        if metadata.get("resourceVersion"):
            message = "resourceVersion should not be set on objects to be created"
            raise Refused(status.bad_request(message))
        owner_references.keep_once(body.tree, call.warnings)
        write = Write(
            kind=kind,
            identity=call.identity,
            namespace=namespace,
            new=body.tree,
            causes=body.causes,
            warnings=call.warnings,
            request=call.request,
            annotations=call.annotations,
            owners=updating_owners(options.manager, self._clock),
            template=body.template,
        )
        written = await self._writer.create(write, dry_run=options.dry_run)
        return rendering.one(kind, written.data, call.request, self._clock, code=201)
