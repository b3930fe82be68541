"""Connections that are kept have a number, and those that were asked last stay."""

import asyncio
import ssl

from sampan.control.api.outgoing.transports import Peer, Transports


def test_as_many_are_kept_as_may_be_open() -> None:
    context = ssl.create_default_context()
    peers = [Peer(f"https://10.0.0.{number}") for number in range(3)]

    async def story() -> None:
        kept = Transports(most=2, largest_body=1)
        first, second = [await kept.to(peer, context) for peer in peers[:2]]
        assert await kept.to(peers[0], context) is first
        await kept.to(peers[2], context)
        assert await kept.to(peers[0], context) is first
        assert await kept.to(peers[1], context) is not second
        await kept.close()

    asyncio.run(story())
