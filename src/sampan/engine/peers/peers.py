"""The engines that have joined, and the one that keeps a container."""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from sampan.engine.peers import messages
from sampan.engine.peers.peer import Peer
from sampan.engine.runtime.record import ContainerRecord
from sampan.engine.service import frames
from sampan.engine.service.server import Call, Handler
from sampan.host.cgroups import ControlGroups


class Display(Protocol):
    """Where the containers of other engines are shown."""

    async def show(
        self, keeper: str, record: ContainerRecord, process: int, *, is_news: bool
    ) -> None:
        """A container as it stands now; `process` is its first one, 0 for none."""

    def hide(self, identifier: str, *, is_news: bool) -> None:
        """A container that is no more, or whose engine has left."""


class Peers:
    def __init__(self, groups: ControlGroups) -> None:
        self._groups = groups
        self._keepers: dict[str, Peer] = {}

    def keeper(self, identifier: str) -> Peer | None:
        """The engine that keeps a container; None for the machine's own."""
        return self._keepers.get(identifier)

    def handlers(self, display: Display) -> dict[str, Handler]:
        """What the machine's engine takes from others."""

        async def join(call: Call) -> None:
            await self._join(call, display)

        return {messages.JOIN: join}

    async def _join(self, call: Call, display: Display) -> None:
        """A member, for as long as it is connected."""
        peer = Peer(call.arguments(messages.Membership), call.process, self._groups)
        try:
            async for kind, payload in call.received():
                notice = _notice(kind, payload)
                if notice.record is not None:
                    await self._keep(peer, notice.record, display, is_news=notice.is_news)
                elif self._keepers.get(notice.gone) is peer:
                    self._forget(peer, notice.gone)
                    display.hide(notice.gone, is_news=True)
        finally:
            for identifier in self._kept_by(peer):
                self._forget(peer, identifier)
                display.hide(identifier, is_news=False)

    async def _keep(
        self, peer: Peer, record: ContainerRecord, display: Display, *, is_news: bool
    ) -> None:
        peer.records[record.identifier] = record
        self._keepers[record.identifier] = peer
        process = peer.first_process(record)
        await display.show(peer.name, record, process, is_news=is_news)

    def _forget(self, peer: Peer, identifier: str) -> None:
        del self._keepers[identifier]
        del peer.records[identifier]

    def _kept_by(self, peer: Peer) -> Iterator[str]:
        return iter([it for it, keeper in self._keepers.items() if keeper is peer])


def _notice(kind: bytes, payload: bytes) -> messages.Notice:
    if kind != frames.NOTICE:
        raise frames.BrokenFrame("a frame that is no notice")
    try:
        return msgspec.json.decode(payload, type=messages.Notice)
    except msgspec.DecodeError as error:
        raise frames.BrokenFrame(f"a notice can't be read: {error}") from error
