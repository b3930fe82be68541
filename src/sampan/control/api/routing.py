"""From a request's group, resource, subresource and verb to the handler that answers it."""

from sampan.control.api.attributes import Attributes
from sampan.control.api.cache.watch_cache import NotServed, WatchCache
from sampan.control.api.call import Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import ConversionFailed, Kind
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import NAMESPACES
from sampan.kubernetes.machinery import status

PROXY = "proxy"
"""The subresource whose paths go on: they are those of another server."""
_ACROSS_NAMESPACES = ("list", "watch", "create")

Handlers = dict[tuple[str, str], Handler]
"""Handlers by subresource ("" for the object itself) and verb."""


class Router:
    """The last stage: finds the kind, then the handler."""

    def __init__(
        self,
        kinds: Kinds,
        cache: WatchCache,
        handlers: Handlers,
        review: Handler,
        documents: Handler,
    ) -> None:
        self._kinds = kinds
        self._cache = cache
        self._handlers = handlers
        self._review = review
        self._documents = documents

    async def __call__(self, call: Call) -> Response:
        """Raises Refused: 404 for what isn't served, 405 for a verb that isn't, 500 when the
        objects can't be had in the version that is asked for."""
        attributes = call.attributes
        if not attributes.is_resource:
            return await self._documents(call)
        kind = self._kinds.find(attributes.group, attributes.version, attributes.resource)
        if kind is None:
            raise Refused(status.path_not_found())
        call.kind = kind
        handler = self._handler(kind, call)
        if kind.stored_as is not None or kind.conversion is not None:
            await self._prepare(kind)
        if kind.deprecation:
            call.warnings.append(kind.deprecation)
        try:
            return await handler(call)
        except NotServed as error:
            # A custom resource may go while a request for it is on its way.
            raise Refused(status.path_not_found()) from error

    async def _prepare(self, kind: Kind) -> None:
        try:
            await self._cache.prepared(kind.resource)
        except ConversionFailed as error:
            raise Refused(status.failure(500, "InternalError", str(error))) from error

    def _handler(self, kind: Kind, call: Call) -> Handler:
        attributes = call.attributes
        if not _scope_fits(kind, attributes) or (
            attributes.is_deeper and attributes.subresource != PROXY
        ):
            raise Refused(status.path_not_found())
        verbs = _verbs(kind, call)
        if attributes.verb not in verbs and attributes.subresource != PROXY:
            raise Refused(status.method_not_allowed())
        if not kind.stored:
            return self._review
        handler = self._handlers.get((attributes.subresource, attributes.verb))
        if handler is None:
            raise Refused(status.method_not_allowed())
        return handler


def _verbs(kind: Kind, call: Call) -> tuple[str, ...]:
    """The verbs that are served at the path. Raises Refused (404)."""
    attributes = call.attributes
    if not attributes.subresource:
        named_create = attributes.verb == "create" and attributes.name
        return () if named_create else kind.verbs
    subresource = kind.subresource(attributes.subresource)
    if subresource is None:
        raise Refused(status.path_not_found())
    return subresource.verbs


def _scope_fits(kind: Kind, attributes: Attributes) -> bool:
    """A namespaced object has a namespace in its path; a cluster-scoped one has none, or a
    role in that namespace would reach it."""
    if kind.resource.namespaced:
        return bool(attributes.namespace) or attributes.verb in _ACROSS_NAMESPACES
    return not attributes.namespace or kind.resource == NAMESPACES
