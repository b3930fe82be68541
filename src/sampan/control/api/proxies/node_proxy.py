"""Logs and commands of pods: passed through to the agent of the node that runs them.

The caller was authorized here; the agent trusts the API's own client certificate. Bytes and
frames pass unchanged, at the pace of the slower side.
"""

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.outgoing.transports import Peer, Transports
from sampan.control.api.proxies.kubelets import kubelet_of
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import (
    HandshakeRefused,
    Request,
    Response,
    WebSocket,
    bounded,
)
from sampan.foundation.wire.request_head import offered_subprotocols
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery import status

if TYPE_CHECKING:
    from sampan.foundation.wire.http_client import HttpsTransport

SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_LOG_PARAMETERS = frozenset(
    ("follow", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "previous", "limitBytes")
)
# Addresses are written by agents: whatever they write, memory has an end.
_OPEN_TRANSPORTS = 1024
_LARGEST_ANSWER = 512 << 20
_LONGEST_PROBLEM = 64 * 1024
_SHOWN_PROBLEM = 1024
_STREAM_PARAMETERS = frozenset(("command", "stdin", "stdout", "stderr", "tty"))


class NodeProxy:
    """The handlers of `pods/log`, `pods/exec` and `pods/attach`."""

    def __init__(self, cache: WatchCache, context: ssl.SSLContext | None) -> None:
        self._cache = cache
        self._context = context
        self._transports = Transports(_OPEN_TRANSPORTS, _LARGEST_ANSWER)

    async def log(self, call: Call) -> Response:
        """Raises Refused: 404, 400 while there is nothing to read, 500 without the node."""
        pod, container = self._target(call)
        node = self._node(pod)
        request = Request(
            method="GET",
            path=f"/containerLogs/{_pod_path(call)}/{container}",
            query=_chosen(call.request, _LOG_PARAMETERS),
        )
        try:
            transport = await self._transport(node)
            answer = await transport.send(request)
            problem = await bounded(answer.body, _LONGEST_PROBLEM) if answer.status >= 400 else b""
        except ConnectionError as error:
            raise Refused(_unreachable(pod, error)) from error
        if answer.status >= 400:
            message = problem.decode(errors="replace")[:_SHOWN_PROBLEM]
            raise Refused(status.failure(answer.status, _reason(answer.status), message))
        return Response(headers={"Content-Type": "text/plain"}, body=answer.body)

    async def execute(self, call: Call) -> Response:
        return await self._stream(call, "exec")

    async def attach(self, call: Call) -> Response:
        return await self._stream(call, "attach")

    async def close(self) -> None:
        await self._transports.close()

    async def _stream(self, call: Call, action: str) -> Response:
        # A client that is refused tries another way: what is wrong with the pod comes first.
        pod, container = self._target(call)
        node = self._node(pod)
        subprotocol = _shared_subprotocol(call.request, action)
        path = f"/{action}/{_pod_path(call)}/{container}"
        query = _chosen(call.request, _STREAM_PARAMETERS)
        try:
            transport = await self._transport(node)
            upstream = await transport.connect(path, query, (subprotocol,))
        except HandshakeRefused as error:
            refusal = status.failure(error.status, _reason(error.status), str(error))
            raise Refused(refusal) from error
        except ConnectionError as error:
            raise Refused(_unreachable(pod, error)) from error

        async def relay(client: WebSocket) -> None:
            await _relay(client, upstream)

        return Response(websocket=relay, subprotocols=(subprotocol,))

    def _target(self, call: Call) -> tuple[Object, str]:
        """The pod, and the container that is meant."""
        stored = self._cache.of(PODS).get(object_key(call))
        name = call.attributes.name
        if stored is None:
            raise Refused(status.not_found(PODS, name))
        pod = stored.decoded()
        spec = pod.get("spec") or {}
        names = [
            it["name"]
            for group in ("containers", "initContainers", "ephemeralContainers")
            for it in spec.get(group) or ()
        ]
        asked = call.request.parameter("container")
        if asked and asked not in names:
            message = f"container {asked} is not valid for pod {name}"
            raise Refused(status.bad_request(message))
        if not asked and len(spec.get("containers") or ()) > 1:
            listed = " ".join(it["name"] for it in spec["containers"])
            message = (
                f"a container name must be specified for pod {name}, choose one of: [{listed}]"
            )
            raise Refused(status.bad_request(message))
        return pod, asked or names[0]

    def _node(self, pod: Object) -> str:
        """The base URL of the agent that runs a pod."""
        name = (pod.get("spec") or {}).get("nodeName")
        if not name:
            message = f"pod {pod['metadata']['name']} does not have a host assigned"
            raise Refused(status.bad_request(message))
        return kubelet_of(self._cache, name).base_url

    async def _transport(self, base_url: str) -> "HttpsTransport":
        if self._context is None:
            raise Refused(status.service_unavailable("this server has no credentials for nodes"))
        return await self._transports.to(Peer(base_url), self._context)


def _shared_subprotocol(request: Request, action: str) -> str:
    """The newest that the client speaks as well. Raises Refused (400)."""
    if not request.wants_websocket:
        raise Refused(
            status.bad_request(
                f"{action} is served over WebSocket ({SUBPROTOCOLS[0]}); "
                "this client asked for another kind of stream"
            )
        )
    offered = offered_subprotocols([request.headers.get("sec-websocket-protocol", "")])
    shared = next((name for name in SUBPROTOCOLS if name in offered), None)
    if shared is None:
        listed = ", ".join(SUBPROTOCOLS)
        raise Refused(status.bad_request(f"no shared subprotocol; served are {listed}"))
    return shared


async def _relay(client: WebSocket, upstream: WebSocket) -> None:
    """Pass messages both ways until either side closes."""
    tasks = [
        asyncio.create_task(_pump(client, upstream)),
        asyncio.create_task(_pump(upstream, client)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await upstream.close()


async def _pump(source: WebSocket, target: WebSocket) -> None:
    while (message := await source.receive()) is not None:
        await target.send(message)


def _pod_path(call: Call) -> str:
    return f"{call.attributes.namespace}/{call.attributes.name}"


def _chosen(request: Request, names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in request.query if pair[0] in names)


def _reason(code: int) -> str:
    reasons = {400: "BadRequest", 403: "Forbidden", 404: "NotFound"}
    return reasons.get(code, "InternalError")


def _unreachable(pod: Object, error: ConnectionError) -> Object:
    node = pod["spec"]["nodeName"]
    return status.failure(500, "InternalError", f"node {node} can't be reached: {error}")
