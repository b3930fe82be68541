"""Logs, commands and ports of pods: passed through to the agent of the node that runs them.

The caller was authorized here; the agent trusts the API's own client certificate. Bytes and
frames pass unchanged, at the pace of the slower side.
"""

import ssl

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, object_key
from sampan.control.api.outgoing.transports import Peer, Transports
from sampan.control.api.proxies.forwarded_headers import towards_server
from sampan.control.api.proxies.forwarding import opened, response_of
from sampan.control.api.proxies.kubelets import Kubelet, kubelet_of
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.http_exchange import SWITCHING_PROTOCOLS, Origin, Outgoing
from sampan.foundation.wire.message import Request, Response, bounded
from sampan.foundation.wire.request_head import offered_subprotocols
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery import status

SPDY = "SPDY/3.1"
SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
FORWARD_SUBPROTOCOLS = ("SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io")
_LOG_PARAMETERS = frozenset(
    ("follow", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "previous", "limitBytes")
)
# Addresses are written by agents: whatever they write, memory has an end.
_OPEN_TRANSPORTS = 1024
_LARGEST_ANSWER = 512 << 20
_LONGEST_PROBLEM = 64 * 1024
_SHOWN_PROBLEM = 1024
_FORWARD_PARAMETERS = frozenset(("ports",))
_STREAM_PARAMETERS = frozenset(("command", "stdin", "stdout", "stderr", "tty"))


class NodeProxy:
    """The handlers of `pods/log`, `pods/exec`, `pods/attach` and `pods/portforward`."""

    def __init__(self, cache: WatchCache, context: ssl.SSLContext | None) -> None:
        self._cache = cache
        self._context = context
        self._transports = Transports(_OPEN_TRANSPORTS, _LARGEST_ANSWER)

    async def log(self, call: Call) -> Response:
        """Raises Refused: 404, 400 while there is nothing to read, 500 without the node."""
        pod, container = self._target(call)
        kubelet = self._kubelet(pod)
        request = Request(
            method="GET",
            path=f"/containerLogs/{_pod_path(call)}/{container}",
            query=_chosen(call.request, _LOG_PARAMETERS),
        )
        try:
            transport = await self._transports.to(Peer(kubelet.base_url), self._trusted())
            answer = await transport.send(request)
            problem = await bounded(answer.body, _LONGEST_PROBLEM) if answer.status >= 400 else b""
        except ConnectionError as error:
            raise Refused(_unreachable(pod, error)) from error
        if answer.status >= 400:
            raise Refused(_refusal(answer.status, problem))
        return Response(headers={"Content-Type": "text/plain"}, body=answer.body)

    async def execute(self, call: Call) -> Response:
        return await self._stream(call, "exec")

    async def attach(self, call: Call) -> Response:
        return await self._stream(call, "attach")

    async def close(self) -> None:
        await self._transports.close()

    async def forward(self, call: Call) -> Response:
        """Connections to ports of a pod."""
        stored = self._cache.of(PODS).get(object_key(call))
        if stored is None:
            raise Refused(status.not_found(PODS, call.attributes.name))
        _demand_shared_protocol(call.request, "portforward", FORWARD_SUBPROTOCOLS)
        path = f"/portForward/{_pod_path(call)}"
        return await self._upgraded(call, stored.decoded(), path, _FORWARD_PARAMETERS)

    async def _stream(self, call: Call, action: str) -> Response:
        # A client that is refused tries another way: what is wrong with the pod comes first.
        pod, container = self._target(call)
        _demand_shared_protocol(call.request, action, SUBPROTOCOLS)
        path = f"/{action}/{_pod_path(call)}/{container}"
        return await self._upgraded(call, pod, path, _STREAM_PARAMETERS)

    async def _upgraded(
        self, call: Call, pod: Object, path: str, parameters: frozenset[str]
    ) -> Response:
        """The agent's answer to the client's upgrade; from then on bytes pass as they are."""
        kubelet = self._kubelet(pod)
        outgoing = Outgoing(
            call.request.method,
            path,
            _chosen(call.request, parameters),
            towards_server(call.request),
        )
        try:
            answer = await opened(Origin(kubelet.address, kubelet.port, self._trusted()), outgoing)
        except Refused as error:
            message = f"node {pod['spec']['nodeName']} can't be reached: {error}"
            raise Refused(status.failure(500, "InternalError", message)) from error
        if answer.status != SWITCHING_PROTOCOLS:
            try:
                problem = await bounded(answer.pieces(), _LONGEST_PROBLEM)
            finally:
                await answer.aclose()
            raise Refused(_refusal(answer.status, problem))
        return await response_of(answer, is_head=False)

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

    def _kubelet(self, pod: Object) -> Kubelet:
        """The agent that runs a pod."""
        name = (pod.get("spec") or {}).get("nodeName")
        if not name:
            message = f"pod {pod['metadata']['name']} does not have a host assigned"
            raise Refused(status.bad_request(message))
        return kubelet_of(self._cache, name)

    def _trusted(self) -> ssl.SSLContext:
        if self._context is None:
            raise Refused(status.service_unavailable("this server has no credentials for nodes"))
        return self._context


def _demand_shared_protocol(request: Request, action: str, served: tuple[str, ...]) -> None:
    """Raises Refused (400) for what is no upgrade, or to nothing that is served."""
    if request.headers.get("upgrade", "").upper() == SPDY:
        return
    if not request.wants_websocket:
        raise Refused(
            status.bad_request(
                f"{action} needs an upgrade to a WebSocket ({served[0]}) or to {SPDY}; "
                "this client asked for none"
            )
        )
    offered = offered_subprotocols([request.headers.get("sec-websocket-protocol", "")])
    if not set(served).intersection(offered):
        listed = ", ".join(served)
        raise Refused(status.bad_request(f"no shared subprotocol; served are {listed}"))


def _pod_path(call: Call) -> str:
    return f"{call.attributes.namespace}/{call.attributes.name}"


def _chosen(request: Request, names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in request.query if pair[0] in names)


def _reason(code: int) -> str:
    reasons = {400: "BadRequest", 403: "Forbidden", 404: "NotFound"}
    return reasons.get(code, "InternalError")


def _refusal(code: int, problem: bytes) -> Object:
    """The agent's own words."""
    message = problem.decode(errors="replace").rstrip("\n")[:_SHOWN_PROBLEM]
    return status.failure(code, _reason(code), message)


def _unreachable(pod: Object, error: ConnectionError) -> Object:
    node = pod["spec"]["nodeName"]
    return status.failure(500, "InternalError", f"node {node} can't be reached: {error}")
