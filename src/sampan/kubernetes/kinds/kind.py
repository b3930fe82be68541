"""What a kind *is*: one record that the API server, discovery, tables and OpenAPI all read.

A record names things and points to pure functions on decoded JSON trees. It must not know
HTTP, the store, or who asks.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from sampan.kubernetes.kinds.resource import Resource

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
    """What may be done at `.../NAME/<name>`, and the kind of the body that goes there."""

    name: str
    kind: str
    group_version: str
    verbs: tuple[str, ...]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is particular to one kind.

    `definition` is the key of its schema. `default` fills defaults into a freshly decoded tree,
    in place. `prepare(new, old)` is the strategy that runs before validation: it drops what the
    writer of the main resource may not set and keeps `metadata.generation`; `old` is None on
    create. `prepare_status(new, old)` is its counterpart for a write to `/status`.
    `validate(new, old)` gives the rules that the schema cannot say. `selectable` gives the
    fields that a field selector may name; `decode_selectable` reads of an object's JSON no more
    than them and the labels. A kind that is not `stored` only answers to create.
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

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, None if the kind has none."""
        return next((entry for entry in self.subresources if entry.name == name), None)
