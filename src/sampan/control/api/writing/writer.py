"""The last stages of every write: defaults, admission, strategy, validation, and the store.

Theory: a write is a function of the current version. It is applied to what the cache has and
committed only if that is still current; when another writer was first, it is applied again to
the newer version, unless the client named the version it meant. The answer is given once the
cache has the commit, so that a client can read what it wrote.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from random import Random

import msgspec

from sampan.control.api.admission.chain import AdmissionChain
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.stored_object import (
    StoredObject,
    spliced,
    store_key,
    stored_value,
)
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.field_management import MANAGED, differs_in_times_alone
from sampan.kubernetes.expressions.patience import patiently
from sampan.kubernetes.kinds.kind import ConversionFailed, Kind, Object
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.generated_names import generated_name, new_uid
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.store.contract import Conflict, Store

GENERATED_NAME_ATTEMPTS = 8
ATTEMPTS = 32
MAXIMUM_OBJECT = 3 * 512 * 1024
MAXIMUM_STATUS = 3 * MAXIMUM_OBJECT
_KEPT = ("uid", "creationTimestamp", "generateName")
_OMITTED_WHEN_EMPTY = ("labels", "annotations", "ownerReferences", "finalizers")
_GIVEN_BY_SERVER = (
    "resourceVersion",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)

Reserve = Callable[[Write], AbstractContextManager[None]]
Change = Callable[[StoredObject], Write | Awaitable[Write]]
"""Makes the write from the current version; called again when that changes meanwhile."""


class Written(msgspec.Struct, frozen=True):
    """The JSON of what a write led to; `gone` when the object was removed by it."""

    data: bytes
    gone: bool = False


class Writer:
    """Commits creates and updates. `reserve` gives resources of some kinds what they need."""

    def __init__(
        self,
        store: Store,
        cache: WatchCache,
        *,
        clock: Callable[[], datetime],
        random: Random,
        admission: AdmissionChain,
        reserve: dict[Resource, Reserve],
    ) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock
        self._random = random
        self._admission = admission
        self._reserve = reserve

    async def create(self, write: Write, *, dry_run: bool = False) -> Written:
        """Raises Refused; AlreadyExists is 409."""
        write.dry_run = dry_run
        self._begin(write, write.object)
        await self._mutate(write)
        new = write.object
        metadata = new["metadata"]
        base = "" if metadata.get("name") else metadata.get("generateName", "")
        for attempt in range(GENERATED_NAME_ATTEMPTS if base else 1):
            if base:
                metadata["name"] = generated_name(base, self._random)
                # Some defaults follow from the name.
                _default(write)
            if attempt == 0:
                await self._judge(write)
            with self._reserved(write):
                written = await self._insert(write, new, dry_run=dry_run)
            if written is not None:
                return written
        taken = status.already_exists if not base else status.no_name_generated
        raise Refused(taken(write.kind.resource, metadata["name"]))

    async def update(
        self, kind: Kind, key: str, change: Change, *, dry_run: bool = False
    ) -> Written:
        """Raises Refused: 404 when the object isn't there, 409 when its version isn't the
        one that the new object names."""
        name = key.partition("/")[2]
        for _ in range(ATTEMPTS):
            stored = self._cache.of(kind.resource).get(key)
            if stored is None:
                raise Refused(status.not_found(kind.resource, name))
            made = change(stored)
            write = made if isinstance(made, Write) else await made
            write.dry_run = dry_run
            written = await self._replace(stored, write, dry_run=dry_run)
            if written is not None:
                return written
        raise Refused(status.conflict(kind.resource, name))

    async def transform(
        self,
        kind: Kind,
        key: str,
        change: Callable[[StoredObject], Object],
        *,
        dry_run: bool = False,
    ) -> Written:
        """Commit what `change` makes of the current version as it is, without the rules for
        writers of the main resource: for subresources that set what those may not.

        Raises Refused (404), and whatever `change` raises.
        """
        name = key.partition("/")[2]
        for _ in range(ATTEMPTS):
            stored = self._cache.of(kind.resource).get(key)
            if stored is None:
                raise Refused(status.not_found(kind.resource, name))
            new = change(stored)
            if is_over(new):
                if dry_run or await self.remove(kind, stored):
                    return Written(msgspec.json.encode(new), gone=True)
                continue
            written = await self.commit(kind, stored, new, dry_run=dry_run)
            if written is not None:
                return written
        raise Refused(status.conflict(kind.resource, name))

    async def remove(self, kind: Kind, stored: StoredObject) -> bool:
        """Take an object out of the store; False when it has changed meanwhile."""
        try:
            change = await self._store.delete(store_key(kind, stored.key), expected=stored.revision)
        except Conflict:
            await self._catch_up(kind)
            return False
        if change is None:
            await self._catch_up(kind)
            return False
        await self._cache.reached(change.revision)
        return True

    async def commit(
        self,
        kind: Kind,
        stored: StoredObject,
        new: Object,
        *,
        limit: int = MAXIMUM_STATUS,
        dry_run: bool = False,
    ) -> Written | None:
        """Replace a version by a finished object; None when it has changed meanwhile.

        Raises Refused (413) for an object of more than `limit` bytes.
        """
        value = _storable(new, limit)
        stored_form = await _stored_form(kind, value)
        if dry_run:
            return Written(spliced(value, stored.revision))
        try:
            entry = await self._store.put(
                store_key(kind, stored.key), stored_form, expected=stored.revision
            )
        except Conflict:
            await self._catch_up(kind)
            return None
        await self._cache.reached(entry.revision)
        return Written(self._told(kind, stored.key, value, entry.revision))

    def _told(self, kind: Kind, key: str, value: bytes, revision: int) -> bytes:
        """The JSON of a version that was written: the bytes that the cache has made of it,
        unless a newer one has come."""
        cached = self._cache.of(kind.resource).get(key) if kind.stored_as is None else None
        if cached is not None and cached.revision == revision:
            return cached.data
        return spliced(value, revision)

    async def review(self, write: Write) -> None:
        """Admission of what isn't written in this form: a deletion, the body of a subresource,
        a connection. Hooks may change the body. Raises Refused."""
        await self._admission.review(write)

    def _begin(self, write: Write, new: Object) -> None:
        """The metadata that every new object gets."""
        metadata: Object = new["metadata"]
        for field in _GIVEN_BY_SERVER:
            metadata.pop(field, None)
        if write.kind.resource.namespaced:
            metadata["namespace"] = write.namespace
        metadata["uid"] = new_uid(self._random)
        metadata["creationTimestamp"] = to_seconds(self._clock())

    async def _mutate(self, write: Write) -> None:
        """Defaults, what admission adds and changes, and the kind's strategy."""
        if write.causes:
            return
        kind = write.kind
        _default(write)
        _drop_empty_collections(write.object["metadata"])
        managed = _owners(write)
        await self._admission.mutate(write)
        kind.strategy(write.subresource)(write.object, write.old)
        # Only now: the entries share parts with others, and nobody may change them.
        write.object["metadata"].pop(MANAGED, None)
        if managed:
            write.object["metadata"][MANAGED] = managed

    async def _judge(self, write: Write) -> None:
        """Validation, then the verdicts of admission."""
        kind, new = write.kind, write.object
        causes = write.causes
        if not causes and kind.custom is None and not kind.is_judged_patiently:
            causes = kind.causes(write.subresource, new, write.old)
        elif not causes:
            # Its rules may be expressions, or about large schemas, and take their time.
            causes = await patiently(kind.causes, write.subresource, new, write.old)
        if causes:
            name = str(new["metadata"].get("name", ""))
            raise Refused(status.invalid(kind.resource.group, kind.resource.kind, name, causes))
        await self._admission.judge(write)

    async def _insert(self, write: Write, new: Object, *, dry_run: bool) -> Written | None:
        """None when the name is taken."""
        kind, metadata = write.kind, new["metadata"]
        key = f"{metadata.get('namespace', '')}/{metadata['name']}"
        spec = write.template.data if write.template is not None else b""
        value = _storable(new, MAXIMUM_OBJECT, spec)
        stored_form = await _stored_form(kind, value)
        if dry_run:
            taken = self._cache.of(kind.resource).get(key) is not None
            return None if taken else Written(value)
        try:
            entry = await self._store.put(store_key(kind, key), stored_form, expected=0)
        except Conflict:
            # Who learns that the name is taken can read who has it.
            await self._catch_up(kind)
            return None
        await self._cache.reached(entry.revision)
        return Written(self._told(kind, key, value, entry.revision))

    async def _replace(
        self, stored: StoredObject, write: Write, *, dry_run: bool
    ) -> Written | None:
        """None when another writer was first; a version that the client named no longer fits
        then, when the write is made again."""
        old, kind = write.old, write.kind
        assert old is not None
        _restore_metadata(write, write.object, old)
        await self._mutate(write)
        await self._judge(write)
        new = write.object
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if is_over(new):
            return await self._finish(stored, write, dry_run=dry_run)
        is_idle = new == old or differs_in_times_alone(new, old)
        # A write that changes nothing still brings an object into the stored version.
        if is_idle and not await self._is_outdated(kind, stored):
            return Written(stored.data)
        with self._reserved(write):
            # What nodes tell of an object must get through, or its deletion would never end.
            limit = MAXIMUM_STATUS if write.subresource == "status" else MAXIMUM_OBJECT
            return await self.commit(kind, stored, new, limit=limit, dry_run=dry_run)

    async def _is_outdated(self, kind: Kind, stored: StoredObject) -> bool:
        """Whether an object lies in the store in a version that isn't the stored one any more."""
        if kind.custom is None or (kind.from_stored is None and kind.conversion is None):
            return False
        entry = await self._store.get(store_key(kind, stored.key))
        head = b'{"apiVersion":"%b",' % kind.place.group_version.encode()
        return entry is not None and not entry.value.startswith(head)

    async def _finish(self, stored: StoredObject, write: Write, *, dry_run: bool) -> Written | None:
        """The last finalizer is gone: so is the object."""
        if not dry_run and not await self.remove(write.kind, stored):
            return None
        return Written(msgspec.json.encode(write.object), gone=True)

    def _reserved(self, write: Write) -> AbstractContextManager[None]:
        reserve = self._reserve.get(write.kind.resource)
        return reserve(write) if reserve is not None and not write.subresource else nullcontext()

    async def _catch_up(self, kind: Kind) -> None:
        await self._cache.reached(await self._store.revision())
        try:
            await self._cache.prepared(kind.resource)
        except ConversionFailed as error:
            raise Refused(status.failure(500, "InternalError", str(error))) from error


def _default(write: Write) -> None:
    """Fill in the defaults; the spec of a template has them."""
    if write.template is None:
        write.kind.default(write.object)


def _drop_empty_collections(metadata: Object) -> None:
    """Those of ObjectMeta are left out when nothing is in them, in every kind."""
    for field in _OMITTED_WHEN_EMPTY:
        if field in metadata and not metadata[field]:
            del metadata[field]


def _owners(write: Write) -> list[Object]:
    """The `managedFields` that a write leads to, taken from the object meanwhile."""
    if write.owners is not None:
        managed = write.owners(write)
    else:
        managed = (write.old or {}).get("metadata", {}).get(MANAGED) or []
    write.object["metadata"].pop(MANAGED, None)
    return managed


def _storable(new: Object, limit: int, spec: bytes = b"") -> bytes:
    """The bytes to store. Raises Refused (413) for more than any reader should have to bear."""
    value = stored_value(new, spec)
    if len(value) > limit:
        raise Refused(status.too_large(limit))
    return value


async def _stored_form(kind: Kind, value: bytes) -> bytes:
    """A value in the version that is stored. Raises Refused (500)."""
    if kind.to_stored is not None:
        return kind.to_stored(value)
    if kind.conversion is None:
        return value
    try:
        return await kind.conversion.to_stored(value)
    except ConversionFailed as error:
        raise Refused(status.failure(500, "InternalError", str(error))) from error


def _restore_metadata(write: Write, new: Object, old: Object) -> None:
    """Give back what a writer may leave out.

    Raises Refused (409) for another version or uid than the current one.
    """
    given, before = new["metadata"], old["metadata"]
    resource, name = write.kind.resource, before["name"]
    version = given.pop("resourceVersion", "") or ""
    if version and version != before["resourceVersion"]:
        raise Refused(status.conflict(resource, name))
    if given.get("uid") and given["uid"] != before["uid"]:
        raise Refused(
            status.precondition_failed(resource, name, "UID", given["uid"], before["uid"])
        )
    for field in _GIVEN_BY_SERVER:
        given.pop(field, None)
        if field in before and field != "resourceVersion":
            given[field] = before[field]
    for field in _KEPT:
        if field in before:
            given.setdefault(field, before[field])


def is_over(tree: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    metadata = tree["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("deletionGracePeriodSeconds")
        and not metadata.get("finalizers")
        and not (tree["kind"] == "Namespace" and (tree.get("spec") or {}).get("finalizers"))
    )
