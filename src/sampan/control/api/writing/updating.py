"""PUT and PATCH of an object or of its status.

A patch is a function of the current version and is applied again when that has changed
meanwhile; a replaced object is applied again only when it names no version.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.call import Call, Handler, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import WriteOptions, write_options
from sampan.control.api.writing import owner_references, put_rules
from sampan.control.api.writing.apply_configuration import CONTENT_TYPE as APPLY_PATCH
from sampan.control.api.writing.creating import create_where_absent, form_of
from sampan.control.api.writing.decoding import decoded, json_patch_value, media_type, patched
from sampan.control.api.writing.field_management import updating_owners
from sampan.control.api.writing.writer import Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Cause, Kind, Object
from sampan.kubernetes.machinery import patches, status
from sampan.kubernetes.machinery.strategic_merge import strategic_merge_patch

PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_STATUS_ALONE = ("status", "approval")
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Patch = Callable[[Object], Object]


class Updating:
    """The handlers of `update` and `patch`, for the main resource and for `/status`."""

    def __init__(
        self, writer: Writer, authorizer: Authorizer, apply: Handler, clock: rendering.Clock
    ) -> None:
        """`apply` answers apply patches."""
        self._writer = writer
        self._authorizer = authorizer
        self._apply = apply
        self._clock = clock

    async def update(self, call: Call) -> Response:
        options = write_options(call.request, "UpdateOptions")
        body = await decoded(call, form_of(call.routed))
        metadata = body.tree["metadata"]
        name = metadata.setdefault("name", call.attributes.name)
        if name != call.attributes.name:
            raise Refused(
                status.bad_request(
                    f"the name of the object ({name}) does not match the name on the URL "
                    f"({call.attributes.name})"
                )
            )
        _check_namespace(call, metadata)
        version = metadata.get("resourceVersion") or ""
        owners = updating_owners(options.manager, self._clock)
        # The stages after this change the tree in place, and may run more than once.
        encoded = msgspec.json.encode(body.tree)

        def change(stored: StoredObject | None) -> Write:
            if stored is not None:
                put_rules.check_version(call.routed, name, version)
            return write_of(call, _decode(encoded), stored, body.causes, owners)

        try:
            return await self._commit(call, change, options)
        except Refused as refusal:
            creates = put_rules.may_create(call.routed) and not call.attributes.subresource
            if not creates or not says_absent(refusal, call):
                raise
        written = await create_where_absent(
            self._writer, self._authorizer, call, change(None), dry_run=options.dry_run
        )
        return rendering.one(call.routed, written.data, call.request, self._clock, code=201)

    async def patch(self, call: Call) -> Response:
        if media_type(call.request) == APPLY_PATCH:
            return await self._apply(call)
        options = write_options(call.request, "PatchOptions")
        apply = await patch_of(call, call.routed.definition)
        owners = updating_owners(options.manager, self._clock)
        raw = call.request.body

        def change(stored: StoredObject) -> Write:
            tree = apply(stored.decoded())
            if not isinstance(tree.get("metadata"), dict):
                raise Refused(status.bad_request("the patched object has no metadata"))
            body = patched(call, form_of(call.routed), tree, raw)
            check_same(call, tree)
            return write_of(call, tree, stored, body.causes, owners)

        return await self._commit(call, change, options)

    async def _commit(
        self, call: Call, change: Callable[[StoredObject], Write], options: WriteOptions
    ) -> Response:
        written = await self._writer.update(
            call.routed, object_key(call), change, dry_run=options.dry_run
        )
        return rendering.one(call.routed, written.data, call.request, self._clock)


async def patch_of(call: Call, definition: str) -> Patch:
    """The patch in the body, as a function of a tree that it may change.

    Raises Refused: 413 for a body that is too large, 415 for a kind of patch that isn't served.
    The function itself raises Refused: 400 for a bad patch, 413 for one that does too much, 422
    when it doesn't fit.
    """
    content_type = media_type(call.request)
    # Strategic merge needs the merge keys that only published definitions have.
    supported = PATCH_TYPES if call.routed.custom is None else PATCH_TYPES[:-1]
    if content_type not in supported:
        raise Refused(status.unsupported_media_type((*supported, APPLY_PATCH)))
    body = await call.request.read_body()

    def apply(tree: Object) -> Object:
        # Read again each time: what a patch leads to shares parts with it, and is changed later.
        value = json_patch_value(body)
        if content_type != PATCH_TYPES[0] and not isinstance(value, dict):
            raise Refused(status.bad_request("the patch is not an object"))
        try:
            if content_type == PATCH_TYPES[0]:
                return patches.json_patch(tree, value)
            if content_type == PATCH_TYPES[1]:
                merged: Object = patches.merge_patch(tree, value)
                return merged
            return strategic_merge_patch(definition, tree, value)
        except patches.InvalidPatch as error:
            raise Refused(status.bad_request(str(error))) from error
        except patches.PatchTooLarge as error:
            raise Refused(status.failure(413, "RequestEntityTooLarge", str(error))) from error
        except patches.PatchRefused as error:
            refusal = f"the server rejected our request due to an error in our request: {error}"
            raise Refused(status.failure(422, "Invalid", refusal)) from error

    return apply


def write_of(
    call: Call,
    new: Object,
    stored: StoredObject | None,
    causes: list[Cause],
    owners: Callable[[Write], list[Object]],
) -> Write:
    """The write that makes `new` of what is stored; without that, a creation."""
    kind: Kind = call.routed
    namespace = call.attributes.namespace if kind.resource.namespaced else ""
    if namespace:
        new["metadata"].setdefault("namespace", namespace)
    owner_references.keep_once(new, call.warnings)
    if call.attributes.subresource in _STATUS_ALONE:
        # The rest of the body is replaced by what is stored, however little there is of it.
        causes = [it for it in causes if it.field.startswith(("status", "metadata"))]
    return Write(
        kind=kind,
        identity=call.identity,
        namespace=namespace,
        new=new,
        old=stored.decoded() if stored is not None else None,
        subresource=call.attributes.subresource,
        causes=causes,
        warnings=call.warnings,
        request=call.request,
        annotations=call.annotations,
        owners=owners,
    )


def _check_namespace(call: Call, metadata: Object) -> None:
    if call.routed.resource.namespaced:
        given = metadata.setdefault("namespace", call.attributes.namespace)
        if given != call.attributes.namespace:
            raise Refused(
                status.bad_request(
                    "the namespace of the provided object does not match the namespace sent on "
                    "the request"
                )
            )


def says_absent(refusal: Refused, call: Call) -> bool:
    """Whether the reason for a refusal is that the very object of the call isn't there."""
    details = refusal.status.get("details") or {}
    named = details.get("kind"), details.get("name")
    absent = refusal.status.get("reason") == "NotFound"
    return absent and named == (call.routed.resource.plural, call.attributes.name)


def check_same(call: Call, tree: Object) -> None:
    """A patch can't rename; the answer is that of a PUT. Raises Refused (400)."""
    _check_namespace(call, tree["metadata"])
    name = tree["metadata"].setdefault("name", call.attributes.name)
    if name != call.attributes.name:
        raise Refused(
            status.bad_request(
                f"the name of the object ({name}) does not match the name on the URL "
                f"({call.attributes.name})"
            )
        )
