"""The stage that passes requests on to the servers of APIServices.

It stands behind authorization and before the routing of what this server serves itself. Answers
are those of kube-aggregator: plain text where there is no server to answer.
"""

from collections.abc import Callable

from sampan.control.api.aggregation.api_services import ApiService, ApiServices
from sampan.control.api.aggregation.servers import Servers, Unreachable, identity_headers
from sampan.control.api.call import Call, Handler
from sampan.control.api.proxies.forwarded_headers import towards_server
from sampan.control.api.proxies.forwarding import forwarded
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.http_exchange import Origin, Outgoing
from sampan.foundation.wire.message import Response, let_go

_UNAVAILABLE = "service unavailable"
_REDIRECTED = "the backend attempted to redirect this request, which is not permitted"
_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


class Aggregation:
    """The stage. `doubt` hears of servers to which a request could not be passed on."""

    def __init__(
        self, services: ApiServices, servers: Servers, doubt: Callable[[str], None]
    ) -> None:
        self._services = services
        self._servers = servers
        self._doubt = doubt

    async def __call__(self, call: Call, following: Handler) -> Response:
        service = self._service(call.request.path)
        if service is None:
            return await following(call)
        if service.available.status != "True":
            return _text(503, _UNAVAILABLE)
        try:
            origin = (await self._servers.origins(service))[0]
        except Unreachable:
            return _text(503, _UNAVAILABLE)
        try:
            return await _passed(call, origin)
        except Refused as refusal:
            self._doubt(service.name)
            return _text(int(refusal.status["code"]), str(refusal))

    def _service(self, path: str) -> ApiService | None:
        if self._services.is_empty or not path.startswith("/apis/"):
            return None
        parts = path.split("/", 4)
        return self._services.at(parts[2], parts[3]) if len(parts) > 3 else None


async def _passed(call: Call, origin: Origin) -> Response:
    """Raises Refused when the server gives no answer."""
    request = call.request
    headers = [pair for pair in towards_server(request) if pair[0] != "host"]
    headers += [("host", origin.authority), *identity_headers(call.identity)]
    outgoing = Outgoing(request.method, request.path, request.query, headers, request.pieces())
    response = await forwarded(origin, outgoing)
    if 300 <= response.status < 400 and "location" in response.headers:
        # A server of one's own could send clients, and their credentials, anywhere.
        await let_go(response.body)
        return _text(502, _REDIRECTED)
    return response


def _text(code: int, text: str) -> Response:
    return Response(status=code, headers=_TEXT, body=f"{text}\n".encode())
