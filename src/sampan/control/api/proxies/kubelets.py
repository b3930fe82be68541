"""Where the agents of nodes listen, told from the objects of the nodes."""

import msgspec

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.proxies.target_name import is_proxyable
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.resource import NODES
from sampan.kubernetes.machinery import status

PORT = 10250


class Kubelet(msgspec.Struct, frozen=True):
    """Where an agent's own API is served."""

    address: str
    port: int

    @property
    def base_url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"


def kubelet_of(cache: WatchCache, node: str) -> Kubelet:
    """Agents write their addresses, and must not point this server at itself.

    Raises Refused: 404 for no such node, 500 for one without an address.
    """
    stored = cache.of(NODES).get(f"/{node}")
    if stored is None:
        raise Refused(status.not_found(NODES, node))
    now = stored.decoded().get("status") or {}
    address = next(
        (it["address"] for it in now.get("addresses") or () if it["type"] == "InternalIP"), ""
    )
    if not is_proxyable(address):
        raise Refused(status.failure(500, "InternalError", f"node {node} has no address"))
    endpoint = (now.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    return Kubelet(address, endpoint.get("Port") or PORT)
