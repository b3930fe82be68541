"""The handlers of `pods/proxy`, `services/proxy` and `nodes/proxy`.

Each finds out where a name leads and passes the request on; whoever may use the subresource may
send anything there. Rules and messages are those of kube-apiserver's `ResourceLocation`s.
"""

import ssl
from collections.abc import Iterator
from random import Random

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.outgoing.service_endpoints import (
    ReadyEndpoint,
    find_service,
    ready_endpoints,
    service_port,
)
from sampan.control.api.proxies.forwarded_headers import towards_server
from sampan.control.api.proxies.forwarding import forwarded
from sampan.control.api.proxies.kubelets import Kubelet, kubelet_of
from sampan.control.api.proxies.links import Links, joined
from sampan.control.api.proxies.target_name import (
    Scheme,
    TargetName,
    is_proxyable,
    port_number,
    remainder,
    target_name,
)
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.http_exchange import Origin, Outgoing
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS, SERVICES
from sampan.kubernetes.machinery import status

_DEFAULT_PORTS = {"": 80, "http": 80, "https": 443}
_MOVED = 301
# What a kubelet does in a pod, by the first part of its path, and the permission for that.
_IN_PODS = {
    "exec": "exec",
    "run": "exec",
    "attach": "attach",
    "portForward": "portforward",
}


class Proxies:
    """`kubelets` is the context with which agents are asked; None without credentials."""

    def __init__(
        self,
        cache: WatchCache,
        authorizer: Authorizer,
        kubelets: ssl.SSLContext | None,
        random: Random,
    ) -> None:
        self._cache = cache
        self._authorizer = authorizer
        self._kubelets = kubelets
        self._random = random
        self._unverified = _unverified()

    async def pod(self, call: Call) -> Response:
        """Raises Refused: 400, 404, 503 when nobody answers."""
        wanted = _wanted(call, "pod")
        stored = self._cache.of(PODS).get(f"{call.attributes.namespace}/{wanted.name}")
        if stored is None:
            raise Refused(status.not_found(PODS, wanted.name))
        pod = stored.decoded()
        address = (pod.get("status") or {}).get("podIP", "")
        if not is_proxyable(address):
            raise Refused(status.bad_request("address not allowed"))
        port = _number(wanted.port) if wanted.port else _first_port(pod, wanted.scheme)
        return await self._pass(call, self._origin(wanted.scheme, address, port))

    async def service(self, call: Call) -> Response:
        """Raises Refused: 400, 404, 503 when nobody answers."""
        wanted = _wanted(call, "service")
        namespace = call.attributes.namespace
        service = find_service(self._cache, namespace, wanted.name)
        if service is None:
            raise Refused(status.not_found(SERVICES, wanted.name))
        name = _port_name(service, wanted)
        endpoints = tuple(self._of_pods(namespace, wanted.name, name))
        if not endpoints:
            message = f'no endpoints available for service "{call.attributes.name}"'
            raise Refused(status.service_unavailable(message))
        chosen = self._random.choice(endpoints)
        return await self._pass(call, self._origin(wanted.scheme, chosen.address, chosen.port))

    async def node(self, call: Call) -> Response:
        """A node's kubelet, or any other port of the node; only the first gets this server's
        credentials. Raises Refused: 400, 403, 404, 503 when nobody answers."""
        wanted = _wanted(call, "node")
        self._authorize(call)
        kubelet = kubelet_of(self._cache, wanted.name)
        if wanted.port and _number(wanted.port) != kubelet.port:
            port = _number(wanted.port)
            return await self._pass(call, self._origin(wanted.scheme, kubelet.address, port))
        return await self._pass(call, self._kubelet_origin(kubelet))

    def _kubelet_origin(self, kubelet: Kubelet) -> Origin:
        if self._kubelets is None:
            raise Refused(status.service_unavailable("this server has no credentials for nodes"))
        return Origin(kubelet.address, kubelet.port, self._kubelets)

    def _authorize(self, call: Call) -> None:
        """To enter a pod by way of its node, the caller must be allowed to enter the pod.

        Whatever the port: which of them is the kubelet's, the node says.
        """
        parts = joined("", remainder(call.request.path)).split("/")
        subresource = _IN_PODS.get(parts[1])
        if subresource is None:
            return
        namespace, name = (*parts[2:4], "", "")[:2]
        needed = Attributes(
            verb="create",
            path=call.attributes.path,
            is_resource=True,
            version="v1",
            resource=PODS.plural,
            subresource=subresource,
            namespace=namespace,
            name=name,
        )
        self._authorizer.require(call.identity, needed)

    def _of_pods(self, namespace: str, name: str, port: str) -> Iterator[ReadyEndpoint]:
        """Endpoints that are pods; anybody may write an EndpointSlice with any address."""
        for endpoint in ready_endpoints(self._cache, namespace, name, port):
            stored = self._cache.of(PODS).get(f"{namespace}/{endpoint.pod}")
            if stored is None or not is_proxyable(endpoint.address):
                continue
            now = stored.decoded().get("status") or {}
            if endpoint.address in (it.get("ip") for it in now.get("podIPs") or ()):
                yield endpoint

    def _origin(self, scheme: Scheme, address: str, port: int) -> Origin:
        return Origin(address, port, self._unverified if scheme == "https" else None)

    async def _pass(self, call: Call, origin: Origin) -> Response:
        request = call.request
        rest = remainder(request.path)
        if not rest and request.method in ("GET", "HEAD"):
            # Relative links of the answer would lead elsewhere.
            return Response(status=_MOVED, headers={"location": _with_slash(call)})
        path = joined("", rest or "/")
        prefix = request.path.removesuffix(rest)
        links = Links(prefix, frozenset((origin.authority, request.headers.get("host", ""))))
        headers = [pair for pair in towards_server(request) if pair[0] != "accept-encoding"]
        if not any(name == "host" for name, _ in headers):
            headers.append(("host", origin.authority))
        headers.append(("x-forwarded-uri", joined(prefix, path)))
        outgoing = Outgoing(request.method, path, request.query, headers, request.pieces())
        return await forwarded(origin, outgoing, links)


def _wanted(call: Call, what: str) -> TargetName:
    text = call.attributes.name
    found = target_name(text)
    if found is None:
        raise Refused(status.bad_request(f'invalid {what} request "{text}"'))
    return found


def _with_slash(call: Call) -> str:
    outgoing = Outgoing("GET", call.request.path + "/", call.request.query)
    return outgoing.target


def _number(text: str) -> int:
    number = port_number(text)
    if number is None:
        raise Refused(status.bad_request(f'invalid port "{text}"'))
    return number


def _first_port(pod: Object, scheme: Scheme) -> int:
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            return int(port["containerPort"])
    return _DEFAULT_PORTS[scheme]


def _port_name(service: Object, wanted: TargetName) -> str:
    """The name by which endpoints know the port. Raises Refused (503)."""
    number = port_number(wanted.port)
    if number is None:
        return wanted.port
    port = service_port(service, number)
    if port is None:
        message = f'no service port {number} found for service "{wanted.name}"'
        raise Refused(status.service_unavailable(message))
    return str(port.get("name", ""))


def _unverified() -> ssl.SSLContext:
    """Pods' certificates are nobody's whom this server knows (as with kube-apiserver)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
