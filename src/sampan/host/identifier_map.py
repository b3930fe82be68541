"""A range of identifiers as user_namespaces(7) maps it: a plain value, quick to import."""

import msgspec


class IdentifierMap(msgspec.Struct, frozen=True):
    """A range of users or groups: `inside` a user namespace, `outside` it."""

    inside: int
    outside: int
    count: int
