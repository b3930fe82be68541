"""The program of the DNS process: serve on the sockets that its parent hands to it."""

import asyncio
import logging
import socket

import uvloop

from sampan.network.dns_server import serve_dns

UDP_DESCRIPTOR, TCP_DESCRIPTOR, CONTROL_DESCRIPTOR = 3, 4, 5


def main() -> None:
    """Serve until the parent closes its end of the control socket."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sockets = [
        socket.socket(fileno=descriptor)
        for descriptor in (UDP_DESCRIPTOR, TCP_DESCRIPTOR, CONTROL_DESCRIPTOR)
    ]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_dns(*sockets))


if __name__ == "__main__":
    main()
