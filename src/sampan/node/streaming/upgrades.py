"""Which protocol an upgraded connection to the node's API speaks, by what the client offers."""

from collections.abc import Sequence

from sampan.foundation.wire.message import Request, Response, Tunnel
from sampan.foundation.wire.request_head import offered_subprotocols

SPDY = "SPDY/3.1"
_OFFER = "x-stream-protocol-version"


class NoSharedProtocol(Exception):
    """The client offers none that is served."""


def wants_spdy(request: Request) -> bool:
    return request.headers.get("upgrade", "").upper() == SPDY


def spdy_response(request: Request, served: Sequence[str], talk: Tunnel) -> Response:
    """The upgrade to SPDY with the first protocol of `served` that the client offers.

    Raises NoSharedProtocol.
    """
    offered = offered_subprotocols([request.headers.get(_OFFER, "")])
    chosen = next((name for name in served if name in offered), None)
    if chosen is None:
        raise NoSharedProtocol(
            "unable to upgrade: unable to negotiate protocol: "
            f"client supports [{' '.join(offered)}], server accepts [{' '.join(served)}]"
        )
    return Response(
        status=101,
        headers={"Connection": "Upgrade", "Upgrade": SPDY, "X-Stream-Protocol-Version": chosen},
        tunnel=talk,
    )
