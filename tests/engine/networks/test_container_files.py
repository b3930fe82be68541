"""The files by which a container finds its network."""

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.container_files import (
    ResolverConfiguration,
    extra_host_lines,
    hosts_text,
    parse_resolver_configuration,
    resolver_configuration,
)
from sampan.engine.networks.contract import ContainerIdentity

HOST = parse_resolver_configuration(
    "# made by somebody\nnameserver 192.0.2.53\nnameserver 127.0.0.53\n"
    "search first.example\nsearch example.com corp.example\noptions edns0 trust-ad\n"
)


def _made(
    host: ResolverConfiguration = HOST,
    *,
    servers: tuple[str, ...] = (),
    search: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    with_names: bool = False,
) -> str:
    return resolver_configuration(
        host, servers=servers, search=search, options=options, with_names=with_names
    ).text()


def test_without_names_the_machines_servers_are_asked() -> None:
    assert _made() == (
        "nameserver 192.0.2.53\nsearch example.com corp.example\noptions edns0 trust-ad\n"
    )


def test_with_names_the_server_in_the_namespace_is_asked() -> None:
    assert _made(with_names=True, servers=("192.0.2.1",)) == (
        "nameserver 127.0.0.11\nsearch example.com corp.example\noptions edns0 trust-ad ndots:0\n"
    )
    assert "options ndots:3\n" in _made(with_names=True, options=("ndots:3",))


def test_servers_that_only_the_machine_reaches_are_asked_for_the_container() -> None:
    stub = parse_resolver_configuration("nameserver 127.0.0.53\nnameserver nonsense\n")
    assert _made(stub) == "nameserver 127.0.0.11\n"
    assert _made(ResolverConfiguration()) == "nameserver 127.0.0.11\n"


def test_what_is_asked_for_takes_the_place_of_the_machines() -> None:
    assert _made(servers=("192.0.2.1", "fd00::1"), search=(".",), options=("rotate",)) == (
        "nameserver 192.0.2.1\nnameserver fd00::1\noptions rotate\n"
    )


def test_hosts_end_with_the_containers_own_names() -> None:
    identity = ContainerIdentity(
        identifier="i", name="web", hostname="web1", domain_name="example.com"
    )
    lines = hosts_text(identity, ["10.45.0.2"], [("192.0.2.9", "db")]).splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-2:] == ["192.0.2.9\tdb", "10.45.0.2\tweb1.example.com web1"]


def test_extra_hosts_may_be_written_in_several_ways() -> None:
    entries = ("a:192.0.2.1", "b=192.0.2.2", "c:fd00::1", "d:[fd00::2]", "e:host-gateway")
    assert extra_host_lines(entries, "10.45.0.1") == [
        ("192.0.2.1", "a"),
        ("192.0.2.2", "b"),
        ("fd00::1", "c"),
        ("fd00::2", "d"),
        ("10.45.0.1", "e"),
    ]


@pytest.mark.parametrize(
    "entry", ["a", ":192.0.2.1", "a:", "a:b", "a b:192.0.2.1", "a:host-gateway"]
)
def test_what_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(InvalidConfiguration):
        extra_host_lines((entry,), "")
