"""The two paths by which a client of BuildKit comes in: its calls, and its session.

What speaks HTTP/2 is imported when the first such client comes.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from sampan.engine.build.contract import Builds
from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi.call import Call
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import ByteStream, Response

if TYPE_CHECKING:
    from sampan.faces.dockerapi.buildkit.control import BuildKitServices

_PROTOCOL = "h2c"
_SESSION = "x-docker-expose-session-uuid"
_services: "WeakKeyDictionary[Builds, BuildKitServices]" = WeakKeyDictionary()


def _services_of(builds: Builds) -> "BuildKitServices":
    """One for each engine: calls and sessions find each other there."""
    from sampan.faces.dockerapi.buildkit.control import BuildKitServices

    if builds not in _services:
        _services[builds] = BuildKitServices(builds)
    return _services[builds]


async def calls(call: Call) -> Response:
    """BuildKit's services, on the client's connection."""
    from sampan.faces.dockerapi.buildkit.grpc import serving
    from sampan.faces.dockerapi.buildkit.http2 import Http2Connection

    services = _services_of(call.engine.builds)

    async def serve(peer: ByteStream) -> None:
        connection = Http2Connection(peer, serving(services.handlers()))
        await connection.begin()
        await connection.run()

    return _taken_over(call, serve)


async def session(call: Call) -> Response:
    """The client's own services, which builds call."""
    identifier = call.request.headers.get(_SESSION, "")
    if not identifier:
        raise InvalidConfiguration("no session identifier")
    services = _services_of(call.engine.builds)
    return _taken_over(call, partial(services.sessions.serve, identifier))


def _taken_over(call: Call, tunnel: Callable[[ByteStream], Awaitable[None]]) -> Response:
    """Raises InvalidConfiguration for a client that wants no HTTP/2."""
    if call.request.headers.get("upgrade", "").lower() != _PROTOCOL:
        raise InvalidConfiguration(f"this path is for connections that become {_PROTOCOL}")
    headers = {"Connection": "Upgrade", "Upgrade": _PROTOCOL}
    return Response(status=101, headers=headers, tunnel=tunnel)


ROUTES = (Route("POST", "/grpc", calls), Route("POST", "/session", session))
