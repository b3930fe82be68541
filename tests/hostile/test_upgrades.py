"""An upgrade that was refused leaves no way through to the server behind the proxy (35)."""

import asyncio
import contextlib
from typing import Any

from tests.control.api.proxies.conftest import SPACE, credentials, play

from sampan.foundation.wire.message import Request, Response

__all__ = ["credentials", "play"]


def test_a_refused_upgrade_is_no_tunnel(play: Any) -> None:
    seen: list[str] = []

    async def refuse(request: Request) -> Response:
        seen.append(request.path)
        return Response(status=403, headers={"Content-Type": "text/plain"}, body=b"no")

    async def story(front: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port, ssl=front.context)
        head = b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
        writer.write(head % f"{SPACE}/pods/web/proxy/first".encode())
        # Whoever believes in the tunnel speaks to the server behind, as the API server itself.
        writer.write(b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
        answered = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while piece := await reader.read(65536):
                    answered += piece
        writer.close()
        assert answered.startswith(b"HTTP/1.1 403")
        assert "/smuggled" not in seen
        assert len(seen) == 1

    play(story, refuse)
