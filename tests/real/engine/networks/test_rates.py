"""What a container may send and receive in a second, measured with TCP."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.real.engine.networks.own_host import Host, address, on_own_host

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.contract import RATE_IN_OPTION, RATE_OUT_OPTION
from sampan.host.namespaces import open_socket_in

pytestmark = pytest.mark.real
SECONDS = 3.0


def _rate(source: str, target: str, target_address: str) -> float:
    """Bytes a second that arrive, without the first half second."""
    received = 0

    def send() -> None:
        with open_socket_in(Path(source), socket.AF_INET, socket.SOCK_STREAM) as client:
            client.connect((target_address, 7000))
            try:
                while True:
                    client.sendall(bytes(1 << 16))
            except OSError:
                return

    with open_socket_in(Path(target), socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("0.0.0.0", 7000))
        server.listen()
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        connection, _ = server.accept()
        with connection:
            warm = time.monotonic() + 0.5
            while time.monotonic() < warm:
                connection.recv(1 << 16)
            begin = time.monotonic()
            while (passed := time.monotonic() - begin) < SECONDS:
                received += len(connection.recv(1 << 16))
    sender.join(5)
    return received / passed


@pytest.mark.parametrize("option", [RATE_IN_OPTION, RATE_OUT_OPTION])
def test_a_rate_holds_within_a_fifth(tmp_path: Path, option: str) -> None:
    async def body(host: Host) -> None:
        settings = EndpointSettings(driver_options={option: "40mbit"})
        limited = await host.run("limited", settings=settings)
        free = await host.run("free")
        pair = (limited, free) if option == RATE_OUT_OPTION else (free, limited)
        held = await asyncio.to_thread(
            _rate, pair[0].namespace, pair[1].namespace, address(pair[1])
        )
        assert 4_000_000 < held < 6_000_000
        back = await asyncio.to_thread(
            _rate, pair[1].namespace, pair[0].namespace, address(pair[0])
        )
        assert back > 20_000_000

    on_own_host(tmp_path, body)


def test_the_containers_rate_holds_for_endpoints_that_say_nothing(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        limited = await host.run("limited", rate_in="8mbit")
        free = await host.run("free")
        held = await asyncio.to_thread(_rate, free.namespace, limited.namespace, address(limited))
        assert 800_000 < held < 1_200_000
        with pytest.raises(InvalidConfiguration, match="invalid rate 'fast'"):
            await host.run("wrong", rate_in="fast")

    on_own_host(tmp_path, body)
