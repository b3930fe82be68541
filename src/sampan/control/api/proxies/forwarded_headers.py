"""Headers on their way through a proxy: which go on, and which are between two neighbours only.

Pure. RFC 9110, section 7.6.1; credentials towards this server are never passed on.
"""

from collections.abc import Iterable, Mapping

from sampan.foundation.wire.message import Request
from sampan.foundation.wire.request_head import offered_subprotocols

_BETWEEN_NEIGHBOURS = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    )
)
_CREDENTIALS = ("impersonate-", "x-remote-")
_PROTOCOLS = "sec-websocket-protocol"
_BEARER = "base64url.bearer.authorization.k8s.io."
_JOINED_OTHERWISE = {"cookie": "; "}


def towards_server(request: Request) -> list[tuple[str, str]]:
    """A client's headers for the server behind; whoever passes them on adds its own."""
    headers = request.headers
    neighbours = _named_by_connection(headers.get("connection", ""))
    passed: list[tuple[str, str]] = []
    for name, value in headers.items():
        if name in neighbours or name == "authorization" or name.startswith(_CREDENTIALS):
            continue
        if name == _PROTOCOLS:
            offered = offered_subprotocols([value])
            value = ", ".join(it for it in offered if not it.startswith(_BEARER))  # noqa: PLW2901
        elif name in _JOINED_OTHERWISE:
            value = value.replace(", ", _JOINED_OTHERWISE[name])  # noqa: PLW2901
        passed.append((name, value))
    if request.peer_address:
        earlier = headers.get("x-forwarded-for")
        passed = [pair for pair in passed if pair[0] != "x-forwarded-for"]
        hops = [earlier, request.peer_address] if earlier else [request.peer_address]
        passed.append(("x-forwarded-for", ", ".join(hops)))
    if wants_upgrade(request):
        passed += [("connection", "Upgrade"), ("upgrade", headers["upgrade"])]
    return passed


def wants_upgrade(request: Request) -> bool:
    asked = request.headers.get("connection", "").lower().split(",")
    return "upgrade" in request.headers and "upgrade" in (it.strip() for it in asked)


def towards_client(
    headers: Iterable[tuple[str, str]], *, switching: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """A server's headers for the client, lower-case, and its cookies."""
    pairs = [(name.lower(), value) for name, value in headers]
    connection = ",".join(value for name, value in pairs if name == "connection")
    neighbours = _named_by_connection(connection)
    if switching:
        neighbours -= {"upgrade"}
    passed: dict[str, str] = {"connection": "Upgrade"} if switching else {}
    cookies: list[str] = []
    for name, value in pairs:
        if name == "set-cookie":
            cookies.append(value)
        elif name not in neighbours:
            passed[name] = f"{passed[name]}, {value}" if name in passed else value
    passed.pop("date", None)
    return passed, tuple(cookies)


def without(headers: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    dropped = set(names)
    return {name: value for name, value in headers.items() if name not in dropped}


def _named_by_connection(value: str) -> frozenset[str]:
    return _BETWEEN_NEIGHBOURS | {it.strip().lower() for it in value.split(",")}
