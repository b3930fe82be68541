"""Ports are held against everybody else, in order and all or none."""

import socket
from ipaddress import IPv4Address, ip_address

import pytest

from sampan.network.bridges.contract import PublishedProtocol
from sampan.network.bridges.reservations import PortTaken, Reservations, WantedPort

HERE = IPv4Address("127.0.0.1")


def _wanted(first: int = 0, last: int = 0, protocol: PublishedProtocol = "tcp") -> WantedPort:
    return WantedPort(protocol=protocol, addresses=(HERE,), first=first, last=last or first)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_nobody_takes_a_held_port(protocol: PublishedProtocol) -> None:
    held, others = Reservations(), Reservations()
    (port,) = held.reserve("a", [_wanted(protocol=protocol)])
    with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
        others.reserve("b", [_wanted(port, protocol=protocol)])
    held.release("a")
    assert others.reserve("b", [_wanted(port, protocol=protocol)]) == [port]
    others.close()


def test_a_server_with_address_reuse_cannot_listen_there() -> None:
    held = Reservations()
    (port,) = held.reserve("a", [_wanted()])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            _listen(other, port)
    held.close()


def _listen(server: socket.socket, port: int) -> None:
    server.bind((str(HERE), port))
    server.listen()


def test_the_first_free_one_of_a_range_is_taken() -> None:
    held = Reservations()
    (port,) = held.reserve("a", [_wanted()])
    second = held.reserve("b", [_wanted(port, port + 20)])[0]
    assert port < second <= port + 20
    held.close()


def test_one_port_is_the_same_on_all_of_its_addresses() -> None:
    held, six = Reservations(), ip_address("::1")
    (port,) = held.reserve("a", [WantedPort(protocol="tcp", addresses=(HERE, six))])
    assert [(each.address, each.port) for each in held.held("a")] == [(HERE, port), (six, port)]
    held.release("a")
    (taken,) = held.reserve("b", [WantedPort(protocol="tcp", addresses=(six,))])
    both = WantedPort(protocol="tcp", addresses=(HERE, six), first=taken, last=taken)
    with pytest.raises(PortTaken, match=rf"\[::1\]:{taken}"):
        held.reserve("c", [both])
    assert held.reserve("d", [_wanted(taken)]) == [taken]
    held.close()


def test_all_are_held_or_none() -> None:
    held = Reservations()
    (taken,) = held.reserve("a", [_wanted()])
    (free,) = held.reserve("b", [_wanted()])
    held.release("b")
    with pytest.raises(PortTaken):
        held.reserve("c", [_wanted(free), _wanted(taken)])
    assert held.reserve("d", [_wanted(free)]) == [free]
    held.close()
