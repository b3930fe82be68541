"""What a kind *is*: one record that the API server, discovery, tables and OpenAPI all read.

A record names things and points to pure functions on decoded JSON trees. It must not know
HTTP, the store, or who asks.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.schema.definitions import Schema, definition

if TYPE_CHECKING:
    from sampan.kubernetes.schema.structure import Findings

Object = dict[str, Any]
NameForm = Literal["subdomain", "label", "label-1035", "path-segment"]

STANDARD_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


class Cause(msgspec.Struct, frozen=True):
    """One rule that an object breaks, as it stands in a Status' `details.causes`.

    `reason` is FieldValueRequired, FieldValueInvalid, FieldValueForbidden,
    FieldValueNotSupported, FieldValueDuplicate, FieldValueTooLong, FieldValueTooMany
    or FieldValueTypeInvalid; `message` leaves the field's path out.
    """

    field: str
    reason: str
    message: str


class Column(msgspec.Struct, frozen=True):
    """One column of a kind's table; priority 1 is shown by `-o wide` only."""

    name: str
    type: str
    cell: Callable[[Object, datetime], Any]
    format: str = ""
    priority: int = 0
    description: str = ""


class Subresource(msgspec.Struct, frozen=True):
    """What may be done at `.../NAME/<name>`, and the kind of the body that goes there.

    One that writes a part of the object itself has a strategy of its own in `prepare`; `rules`
    are those that hold for writes to it, beside the kind's own, or `alone` in place of them.
    """

    name: str
    kind: str
    group_version: str
    verbs: tuple[str, ...]
    prepare: Callable[[Object, Object | None], None] | None = None
    rules: Callable[[Object, Object | None], Iterable[Cause]] | None = None
    alone: bool = False


class ScalePaths(msgspec.Struct, frozen=True):
    """Where an object keeps what its `/scale` shows: the wanted and the present number of
    replicas, and the selector of the pods, as an object or as text."""

    replicas: tuple[str, ...] = ("spec", "replicas")
    replicas_now: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


class ConversionFailed(Exception):
    """Objects could not be brought into another version; the text says why."""


class Conversion(Protocol):
    """Brings values into another version of their resource, several at a time.

    Values are JSON without a resourceVersion, or with one, which is kept. Both methods raise
    ConversionFailed.
    """

    async def from_stored(self, values: Sequence[bytes]) -> list[bytes]:
        """Stored values, of whichever version, in this version."""

    async def to_stored(self, value: bytes) -> bytes:
        """A value of this version in the version that is stored."""


class CustomDefinition(msgspec.Struct, frozen=True):
    """What a custom resource brings in place of a published definition.

    `check` prunes a decoded tree in place and reports what it met; it raises WrongType.
    `schema` tells server-side apply of list types and map keys; `document` is the schema as
    OpenAPI shows it.
    """

    check: "Callable[[Object], Findings]"
    schema: Schema
    document: Object


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is particular to one kind.

    `definition` is the key of its schema. `default` fills defaults into a freshly decoded tree,
    in place. `prepare(new, old)` is the strategy that runs before validation: it drops what the
    writer of the main resource may not set and keeps `metadata.generation`; `old` is None on
    create. `prepare_status(new, old)` is its counterpart for a write to `/status`.
    `validate(new, old)` gives the rules that the schema cannot say. `selectable` gives the
    fields that a field selector may name; `decode_selectable` reads of an object's JSON no more
    than them and the labels. A kind that is not `stored` only answers to create.

    Several versions of a resource share one place in the store. The version that lies there has
    no `stored_as`; the others name it, and say how their objects are made of those there:
    `from_stored` and `to_stored` do it at once, from JSON to JSON, a `conversion` is awaited.
    The stored version has a `from_stored` or `conversion` too when objects of other versions may
    still lie there. `deprecation` is the warning that goes with every answer. `begin_deletion`
    is what becomes of an object, in place, when its deletion is first asked for. A kind that
    `is_judged_patiently` has rules that may take their time, and say so when they are in a hurry
    (`expressions.patience`), as all custom resources have.
    """

    resource: Resource
    definition: str
    singular: str
    columns: tuple[Column, ...]
    default: Callable[[Object], None]
    validate: Callable[[Object, Object | None], list[Cause]]
    prepare: Callable[[Object, Object | None], None]
    prepare_status: Callable[[Object, Object | None], None]
    selectable: Callable[[Object], dict[str, str]]
    decode_selectable: Callable[[bytes], Object]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = STANDARD_VERBS
    subresources: tuple[Subresource, ...] = ()
    stored: bool = True
    stored_as: Resource | None = None
    from_stored: Callable[[bytes], bytes] | None = None
    to_stored: Callable[[bytes], bytes] | None = None
    conversion: Conversion | None = None
    custom: CustomDefinition | None = None
    scale: ScalePaths = ScalePaths()
    deprecation: str = ""
    begin_deletion: Callable[[Object, datetime], None] | None = None
    is_judged_patiently: bool = False

    @property
    def place(self) -> Resource:
        """The resource under whose name the objects lie in the store."""
        return self.stored_as or self.resource

    @property
    def schema(self) -> Schema:
        """The schema of the objects; references in it lead to published definitions."""
        return self.custom.schema if self.custom is not None else definition(self.definition)

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, None if the kind has none."""
        if not name:
            return None
        return next((entry for entry in self.subresources if entry.name == name), None)

    def strategy(self, subresource: str) -> Callable[[Object, Object | None], None]:
        """What runs before validation when the object (for "") or a subresource is written."""
        entry = self.subresource(subresource)
        if entry is not None and entry.prepare is not None:
            return entry.prepare
        return self.prepare_status if subresource == "status" else self.prepare

    def causes(self, subresource: str, new: Object, old: Object | None) -> list[Cause]:
        """The rules that a write to the object (for "") or to a subresource breaks."""
        entry = self.subresource(subresource) if subresource else None
        if entry is None or entry.rules is None:
            return self.validate(new, old)
        own = () if entry.alone else self.validate(new, old)
        return [*own, *entry.rules(new, old)]
