"""The network of one node's pods: bridge, overlay, addresses, and a pool of ready namespaces.

Making a pod's network takes some 3 ms, so a few are always ready, addressed and plugged in;
attaching a pod takes one of them and writes its name down. No containers and no Kubernetes
types here.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from sampan.host.netlink import Netlink
from sampan.network.address_pool import AddressesExhausted, AddressPool
from sampan.network.attachment_file import AttachmentRecord, load_attachments, save_attachments
from sampan.network.base_part import BasePart
from sampan.network.contract import Attachment, NodeNetwork, Peer
from sampan.network.forward_policy import ForwardPolicy
from sampan.network.node_devices import NodeDevices
from sampan.network.overlay import Overlay
from sampan.network.pod_devices import PodDevices
from sampan.network.ruleset import Ruleset

READY_NAMESPACES = 8
_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


class PodNetworks:
    """`contract.PodNetwork` in the kernel, in the network namespace of whoever makes it.

    Methods raise OSError and NftablesError, and `attach` AddressesExhausted when the subnet
    is full.
    """

    def __init__(
        self, network: NodeNetwork, ruleset: Ruleset | None = None, ready: int = READY_NAMESPACES
    ) -> None:
        """`ruleset` is shared with the node's service rules, so that whoever restores those
        restores the base rules too; `ready` is how many namespaces wait for pods."""
        self._network = network
        self._ruleset = ruleset or Ruleset()
        self._netlink = Netlink()
        self._node = NodeDevices(network, self._netlink)
        self._overlay = Overlay(network, self._netlink)
        self._devices = PodDevices(network, self._netlink, self._node.pod_mtu())
        self._base = BasePart(network, self._ruleset)
        interfaces = (network.bridge, network.overlay_device, network.node_device)
        self._forward = ForwardPolicy(self._ruleset, interfaces, network.packet_table)
        self._addresses = AddressPool(network.pod_subnet)
        self._attachments: dict[str, Attachment] = {}
        self._last: IPv4Address | None = None
        self._ready: deque[IPv4Address] = deque()
        self._target = ready
        self._filling: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "pod-networks")

    async def start(self) -> None:
        """Make the bridge, overlay device, routes and base rules; adopts what is there."""
        self._network.namespace_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._network.state_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._in_kernel(self._start_devices)
        self._refill()

    async def _in_kernel(
        self, job: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs
    ) -> _R:
        """One job after the other, on the one thread that speaks to the kernel and hands out
        addresses; a job is finished even when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        call = functools.partial(job, *arguments, **options)
        return await asyncio.shield(loop.run_in_executor(self._thread, call))

    def _start_devices(self) -> None:
        self._node.start_bridge()
        self._overlay.start(self._node.pod_mtu())
        self._node.set_parameters()
        self._node.add_routes()
        self._base.expect_peers(self._overlay.peer_addresses())
        for part in (self._base, self._forward):
            part.build()
            self._ruleset.add(part)
        self._adopt()

    def _adopt(self) -> None:
        """Keep the attachments that are still whole, remove what belongs to none."""
        record = load_attachments(self._network.state_file)
        for identifier, address in record.addresses.items():
            if self._devices.exists(address):
                self._note(identifier, address)
        kept = {attachment.address for attachment in self._attachments.values()}
        for address in self._devices.pinned():
            if address not in kept:
                self._devices.remove(address)
        self._last = record.last
        self._addresses = AddressPool(self._network.pod_subnet, kept, record.last)

    def _note(self, identifier: str, address: IPv4Address) -> None:
        namespace = self._devices.namespace(address)
        self._attachments[identifier] = Attachment(identifier, namespace, address)

    def _save(self) -> None:
        addresses = {name: found.address for name, found in self._attachments.items()}
        record = AttachmentRecord(addresses=addresses, last=self._last)
        save_attachments(self._network.state_file, record)

    def attachments(self) -> Mapping[str, Attachment]:
        """A live view of what is attached."""
        return MappingProxyType(self._attachments)

    async def attach(self, identifier: str) -> Attachment:
        """A ready namespace with an address and default route; idempotent by identifier."""
        while identifier not in self._attachments:
            if not self._ready:
                await self._in_kernel(self._make_one)
                continue
            self._last = self._ready.popleft()
            self._note(identifier, self._last)
            self._save()
            self._refill()
        return self._attachments[identifier]

    def _make_one(self) -> None:
        """Add one to the ready, unless somebody else's job has done so."""
        if self._ready:
            return
        self._make()

    def _make(self) -> None:
        address = self._addresses.take()
        try:
            self._devices.make(address)
        except BaseException:
            self._addresses.give_back(address)
            raise
        self._ready.append(address)

    def _refill(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(self._fill())

    async def _fill(self) -> None:
        """Bring the ready up to their number; a failure is seen again by who attaches."""
        try:
            while len(self._ready) < self._target:
                await self._in_kernel(self._make)
        except AddressesExhausted:
            _log.info("no address is left to keep a namespace ready")
        except OSError:
            _log.warning("a namespace could not be made ready", exc_info=True)

    async def detach(self, identifier: str) -> None:
        """Take it away and free its address; no error if it isn't there."""
        attachment = self._attachments.pop(identifier, None)
        if attachment is None:
            return
        self._save()
        await self._in_kernel(self._remove, attachment.address)

    def _remove(self, address: IPv4Address) -> None:
        self._devices.remove(address)
        self._addresses.give_back(address)

    async def set_peers(self, peers: tuple[Peer, ...]) -> None:
        """Make routes and forwarding entries those of exactly these peers."""
        await self._in_kernel(self._apply_peers, peers)

    def _apply_peers(self, peers: tuple[Peer, ...]) -> None:
        self._base.set_peers(frozenset(peer.address for peer in peers))
        self._overlay.set_peers(peers)

    async def stop(self) -> None:
        """Take down every device, namespace and rule that `start` and `attach` made."""
        await self._stop_filling()
        await self._in_kernel(self._stop_devices)
        self._attachments.clear()
        self._ready.clear()
        self._network.state_file.unlink(missing_ok=True)
        await self.close()

    def _stop_devices(self) -> None:
        self._devices.remove_all()
        for part in (self._forward, self._base):
            self._ruleset.discard(part)
            part.take_down()
        self._overlay.stop()
        self._node.stop()

    async def _stop_filling(self) -> None:
        self._target = 0
        if self._filling is not None:
            await self._filling

    async def close(self) -> None:
        """Let go of sockets; everything stays in the kernel."""
        await self._stop_filling()
        await self._in_kernel(self._netlink.close)
        self._thread.shutdown(wait=False)
