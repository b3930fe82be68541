"""A write as admission sees it."""

from collections.abc import Callable

import msgspec

from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.kind import Cause, Kind, Object


class Write(msgspec.Struct):
    """A create (`old` is None), an update, or a deletion (`new` is None) of one object."""

    kind: Kind
    identity: Identity
    namespace: str
    new: Object | None
    old: Object | None = None
    subresource: str = ""
    causes: list[Cause] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)

    @property
    def object(self) -> Object:
        """The object as it will be, or as it was before its deletion."""
        tree = self.new if self.new is not None else self.old
        assert tree is not None
        return tree

    @property
    def is_create(self) -> bool:
        return self.old is None


Admission = Callable[[Write], None]
"""May change `new` (before validation) or raise Refused; never waits."""
