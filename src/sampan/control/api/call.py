"""One request on its way through the stages, and the type that all stages have."""

from collections.abc import Awaitable, Callable

import msgspec

from sampan.control.api.attributes import Attributes
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.kinds.kind import Kind

ANONYMOUS = Identity(name="system:anonymous", groups=("system:unauthenticated",))


class Call(msgspec.Struct):
    """A request and what the stages have found out about it so far.

    `kind` is set once the request is routed to a resource. `warnings` go into Warning headers,
    `annotations` into the audit log.
    """

    request: Request
    attributes: Attributes
    identity: Identity = ANONYMOUS
    kind: Kind | None = None
    warnings: list[str] = msgspec.field(default_factory=list)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def routed(self) -> Kind:
        """The kind of the resource; only for handlers behind the router."""
        assert self.kind is not None
        return self.kind


def object_key(call: Call) -> str:
    """The cache's key of the object that a call names."""
    namespaced = call.routed.resource.namespaced
    return f"{call.attributes.namespace if namespaced else ''}/{call.attributes.name}"


Handler = Callable[[Call], Awaitable[Response]]
Stage = Callable[[Call, Handler], Awaitable[Response]]


def chained(stages: tuple[Stage, ...], last: Handler) -> Handler:
    """One handler that passes a call through every stage in turn and then to `last`."""
    handler = last
    for stage in reversed(stages):
        handler = _step(stage, handler)
    return handler


def _step(stage: Stage, following: Handler) -> Handler:
    def step(call: Call) -> Awaitable[Response]:
        return stage(call, following)

    return step
