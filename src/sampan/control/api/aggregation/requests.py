"""Short questions to the servers of APIServices, in this server's own name."""

import msgspec

from sampan.control.api.aggregation.servers import identity_headers
from sampan.foundation.wire.http_exchange import Origin, Outgoing, exchange
from sampan.foundation.wire.message import Identity, bounded

MAXIMUM_ANSWER = 16 << 20
_IDENTITY = Identity("system:kube-aggregator", ("system:masters",))


class Answer(msgspec.Struct, frozen=True):
    """`tag` is the ETag."""

    status: int
    body: bytes
    tag: str


async def asked(origin: Origin, path: str, tag: str = "") -> Answer:
    """A document in JSON; 304 when it still is what `tag` names.

    Raises ConnectionError, ssl.SSLError.
    """
    headers = [("Host", origin.authority), ("Accept", "application/json")]
    if tag:
        headers.append(("If-None-Match", tag))
    outgoing = Outgoing("GET", path, headers=[*headers, *identity_headers(_IDENTITY)])
    answer = await exchange(origin, outgoing)
    try:
        body = await bounded(answer.pieces(), MAXIMUM_ANSWER)
    finally:
        await answer.aclose()
    found = next((value for name, value in answer.headers if name.lower() == "etag"), "")
    return Answer(answer.status, body, found)
