"""Which handler answers a verb on an object or on one of its subresources, one explicit table."""

from sampan.control.api.call import Call, Handler
from sampan.control.api.parts import Parts
from sampan.control.api.reading.getting import Getting
from sampan.control.api.reading.listing import Listing
from sampan.control.api.reading.watching import Watching
from sampan.control.api.routing import PROXY, Handlers
from sampan.control.api.subresources.binding import Binding
from sampan.control.api.subresources.eviction import Eviction
from sampan.control.api.subresources.finalize import Finalize
from sampan.control.api.subresources.form_review import connecting
from sampan.control.api.subresources.scale import Scale
from sampan.control.api.subresources.token import Token
from sampan.control.api.writing.applying import Applying
from sampan.control.api.writing.creating import Creating
from sampan.control.api.writing.deleting import Deleting
from sampan.control.api.writing.updating import Updating
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.record import PROXY_VERBS
from sampan.kubernetes.kinds.resource import BINDINGS, NODES, PODS


def handlers(parts: Parts) -> Handlers:
    """The table, keyed by subresource ("" for the object itself) and verb."""
    writer, cache, clock, random = parts.writer, parts.cache, parts.clock, parts.random
    getting = Getting(cache, clock)
    applying = Applying(writer, cache, parts.authorizer, clock)
    updating = Updating(writer, parts.authorizer, applying, clock)
    deleting, scale = Deleting(writer, cache, clock), Scale(writer, cache, clock)
    token = Token(
        writer,
        cache,
        parts.authorizer,
        parts.signer,
        audience=parts.settings.issuer,
        clock=clock,
        random=random,
    )
    return {
        ("", "get"): getting,
        ("", "list"): Listing(cache, clock),
        ("", "watch"): Watching(cache, clock, random),
        ("", "create"): Creating(writer, parts.templates, clock),
        ("", "update"): updating.update,
        ("", "patch"): updating.patch,
        ("", "delete"): deleting.one,
        ("", "deletecollection"): deleting.many,
        ("status", "get"): getting,
        ("status", "update"): updating.update,
        ("status", "patch"): updating.patch,
        ("ephemeralcontainers", "get"): getting,
        ("ephemeralcontainers", "update"): updating.update,
        ("ephemeralcontainers", "patch"): updating.patch,
        ("resize", "get"): getting,
        ("resize", "update"): updating.update,
        ("resize", "patch"): updating.patch,
        ("approval", "get"): getting,
        ("approval", "update"): updating.update,
        ("approval", "patch"): updating.patch,
        ("scale", "get"): scale.get,
        ("scale", "update"): scale.update,
        ("scale", "patch"): scale.patch,
        ("binding", "create"): Binding(writer, clock).create,
        ("eviction", "create"): Eviction(deleting, writer, cache, clock).create,
        ("token", "create"): token.create,
        ("finalize", "update"): Finalize(writer, clock).update,
        ("log", "get"): parts.proxy.log,
        ("exec", "create"): connecting(writer, parts.proxy.execute, "PodExecOptions"),
        ("attach", "create"): connecting(writer, parts.proxy.attach, "PodAttachOptions"),
        ("portforward", "create"): connecting(writer, parts.proxy.forward, "PodPortForwardOptions"),
        **dict.fromkeys(((PROXY, verb) for verb in (*PROXY_VERBS, "options")), _proxied(parts)),
    }


def _proxied(parts: Parts) -> Handler:
    """What answers for the servers behind pods, services and nodes."""
    proxies, writer = parts.proxies, parts.writer
    pod = connecting(writer, proxies.pod, "PodProxyOptions")
    service = connecting(writer, proxies.service, "ServiceProxyOptions")
    node = connecting(writer, proxies.node, "NodeProxyOptions")

    async def handle(call: Call) -> Response:
        chosen = {PODS: pod, NODES: node}.get(call.routed.resource, service)
        return await chosen(call)

    return handle


def posted(parts: Parts, review: Handler) -> Handler:
    """What answers for kinds that are only ever posted: a binding, else a review."""
    binding = Binding(parts.writer, parts.clock)

    async def create(call: Call) -> Response:
        if call.routed.resource == BINDINGS:
            return await binding.create_apart(call)
        return await review(call)

    return create
