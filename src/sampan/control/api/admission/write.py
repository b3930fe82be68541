"""A write as admission sees it, and the two types of rules about writes."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity, Request
from sampan.kubernetes.kinds.kind import Cause, Kind, Object
from sampan.kubernetes.machinery import status

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


class Form(msgspec.Struct, frozen=True):
    """The kind of a body that goes to a subresource and isn't its resource's: Scale, Eviction."""

    group_version: str
    kind: str


class Template(msgspec.Struct, frozen=True):
    """A spec that many objects share, with its defaults, and finished by admission (`data` is
    the JSON of that). Nobody changes it."""

    defaulted: Object
    finished: Object
    data: bytes


class Write(msgspec.Struct):
    """A create (`old` is None), an update, or a deletion (`new` is None) of one object.

    With a `form` the objects are those of a subresource, or the options of a connection.
    `reviewed` says that hooks have seen the write in another form already, or don't see it.
    `request` is what the client sent, None for the server's own writes. `owners` gives the
    `managedFields` that the write leads to, once defaults are filled in; without it they stay
    as they are. `annotations` go into the audit log. The spec of an object with a `template` is
    shared with others.
    """

    kind: Kind
    identity: Identity
    namespace: str
    new: Object | None
    old: Object | None = None
    subresource: str = ""
    causes: list[Cause] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)
    form: Form | None = None
    name: str = ""
    connects: bool = False
    dry_run: bool = False
    reviewed: bool = False
    request: Request | None = None
    owners: "Callable[[Write], list[Object]] | None" = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    template: Template | None = None

    def own_spec(self) -> None:
        """Give the object a spec that may be changed."""
        if self.template is not None:
            self.object["spec"] = msgspec.json.decode(self.template.data)
            self.template = None

    @property
    def object(self) -> Object:
        """The object as it will be, or as it was before its deletion."""
        tree = self.new if self.new is not None else self.old
        assert tree is not None
        return tree

    @property
    def is_create(self) -> bool:
        return self.old is None

    @property
    def operation(self) -> Operation:
        if self.connects:
            return "CONNECT"
        if self.new is None:
            return "DELETE"
        return "CREATE" if self.old is None else "UPDATE"

    @property
    def object_name(self) -> str:
        """The name in the request, or that of the object; empty while it is to be generated."""
        return self.name or str((self.object.get("metadata") or {}).get("name", ""))

    def refusal(self, explanation: str) -> Refused:
        """The refusal (403) that names the object."""
        return Refused(status.forbidden(self.kind.resource, self.object_name, explanation))


Admission = Callable[[Write], None]
"""May change `new` (before validation) or raise Refused; never waits."""


class Reinvocation:
    """Who must be asked again, because the object was changed after they had seen it.

    There is one second round, in which only those are asked (admissionregistration/v1,
    `reinvocationPolicy`).
    """

    def __init__(self) -> None:
        self.is_second_round = False
        self.is_needed = False
        self._seen: set[str] = set()
        self._due: set[str] = set()

    def is_due(self, name: str) -> bool:
        return not self.is_second_round or name in self._due

    def object_changed(self) -> None:
        """Somebody changed the object: whoever has seen it before is asked again."""
        self.is_needed = True
        self._due |= self._seen

    def has_seen(self, name: str) -> None:
        """Of one that wants to be asked again when the object changes after it."""
        self._seen.add(name)


class Mutating(Protocol):
    """Hooks that users configure and that may change the object; they may wait."""

    def concerns(self, write: Write) -> bool:
        """Whether any of them looks at such a write; quick."""

    async def mutate(self, write: Write, reinvocation: Reinvocation) -> None:
        """Raises Refused."""


class Validating(Protocol):
    """Hooks that users configure and that judge the finished object; they may wait."""

    def concerns(self, write: Write) -> bool: ...

    async def judge(self, write: Write) -> None:
        """Raises Refused."""
