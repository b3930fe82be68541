"""Server-side apply: a configuration is merged into the object, which is made where there is none.

A configuration is applied to the current version and again when that has changed meanwhile. Who
owns what, and what conflicts, is said by `kubernetes/machinery/field_ownership`.
"""

from typing import Any

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import WriteOptions, write_options
from sampan.control.api.writing import apply_configuration
from sampan.control.api.writing.creating import create_where_absent, form_of
from sampan.control.api.writing.decoding import patched
from sampan.control.api.writing.field_management import MANAGED, place_of, writing
from sampan.control.api.writing.updating import check_same, says_absent, write_of
from sampan.control.api.writing.writer import ATTEMPTS, Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.field_ownership import Conflicts, Writing, applied
from sampan.kubernetes.machinery.managed_fields import APPLY

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Applying:
    """The handler of apply patches, for the main resource and its parts."""

    def __init__(
        self, writer: Writer, cache: WatchCache, authorizer: Authorizer, clock: rendering.Clock
    ) -> None:
        self._writer = writer
        self._cache = cache
        self._authorizer = authorizer
        self._clock = clock

    async def __call__(self, call: Call) -> Response:
        """Raises Refused: 400, 404 for a part of what isn't there, 409 for conflicts, 422."""
        options = write_options(call.request, "PatchOptions", applies=True)
        kind = call.routed
        config = await apply_configuration.decoded(call, kind.resource.group_version)
        apply_configuration.hold_to_schema(form_of(kind), config, place_of(kind))
        check_same(call, config)
        # What is merged shares parts with its arguments, and the stages after this change it.
        encoded, key = msgspec.json.encode(config), object_key(call)
        for _ in range(ATTEMPTS):
            stored = self._cache.of(kind.resource).get(key)
            try:
                if stored is None:
                    return await self._create(call, _decode(encoded), options)
                return await self._update(call, encoded, options)
            except Refused as refusal:
                made = stored is None and refusal.status.get("reason") == "AlreadyExists"
                removed = stored is not None and says_absent(refusal, call)
                if not (made or removed) or not _may_create(call):
                    raise
        raise Refused(status.conflict(kind.resource, call.attributes.name))

    async def _create(self, call: Call, config: Object, options: WriteOptions) -> Response:
        kind, name = call.routed, call.attributes.name
        if not _may_create(call):
            raise Refused(status.not_found(kind.resource, name))
        write = self._write(call, config, options, None)
        written = await create_where_absent(
            self._writer, self._authorizer, call, write, dry_run=options.dry_run
        )
        return rendering.one(kind, written.data, call.request, self._clock, code=201)

    async def _update(self, call: Call, config: bytes, options: WriteOptions) -> Response:
        def change(stored: StoredObject) -> Write:
            return self._write(call, _decode(config), options, stored)

        written = await self._writer.update(
            call.routed, object_key(call), change, dry_run=options.dry_run
        )
        return rendering.one(call.routed, written.data, call.request, self._clock)

    def _write(
        self, call: Call, config: Object, options: WriteOptions, stored: StoredObject | None
    ) -> Write:
        kind, part = call.routed, call.attributes.subresource
        live = stored.decoded() if stored is not None else None
        made = writing(kind, options.manager, APPLY, part, self._clock())
        tree = merged(kind, live, config, made, force=options.force)
        owners = tree["metadata"].pop(MANAGED)
        causes = patched(call, form_of(kind), tree, call.request.body).causes
        return write_of(call, tree, stored, causes, lambda _write: owners)


def merged(
    kind: Kind, live: Object | None, config: Object, made: Writing, *, force: bool
) -> Object:
    """The object with the configuration applied. Raises Refused (409) for conflicts."""
    try:
        return applied(place_of(kind), live, config, made, force=force)
    except Conflicts as conflicts:
        raise Refused(_refusal(conflicts)) from conflicts


def _refusal(conflicts: Conflicts) -> Object:
    pairs = [(owner.shown(), path) for owner, path in conflicts.pairs()]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": path}
        for owner, path in pairs
    ]
    if len(pairs) == 1:
        message = f"Apply failed with 1 conflict: conflict with {pairs[0][0]}: {pairs[0][1]}"
    else:
        lines: list[str] = []
        for owner in sorted({owner for owner, _ in pairs}):
            lines.append(f"conflicts with {owner}:")
            lines += [f"- {path}" for other, path in pairs if other == owner]
        message = f"Apply failed with {len(pairs)} conflicts: " + "\n".join(lines)
    return status.failure(409, "Conflict", message, {"causes": causes})


def _may_create(call: Call) -> bool:
    return not call.attributes.subresource and "create" in call.routed.verbs
