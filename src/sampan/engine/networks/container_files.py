"""The three files that a container finds its network by: hosts, resolv.conf, hostname. Pure.

Formats: hosts(5), resolv.conf(5), hostname(5); what is in them is what Docker puts there.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import AddressValueError, ip_address

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.contract import ContainerIdentity
from sampan.network.bridges.namespaces import NAME_SERVER
from sampan.network.dns_upstream import Address

HOST_GATEWAY = "host-gateway"
_SEPARATOR = re.compile("[:=]")
_LOCAL_HOSTS = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


class ResolverConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What a resolv.conf says."""

    name_servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [f"nameserver {server}\n" for server in self.name_servers]
        if self.search:
            lines.append(f"search {' '.join(self.search)}\n")
        if self.options:
            lines.append(f"options {' '.join(self.options)}\n")
        return "".join(lines)


def parse_resolver_configuration(text: str) -> ResolverConfiguration:
    """Of lines that say the same thing, the last counts, as for the resolver."""
    servers: list[str] = []
    search: Sequence[str] = ()
    options: list[str] = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *domains]:
                search = domains
            case ["options", *words]:
                options += words
    return ResolverConfiguration(
        name_servers=tuple(servers), search=tuple(search), options=tuple(options)
    )


def resolver_configuration(
    host: ResolverConfiguration,
    *,
    servers: tuple[str, ...],
    search: tuple[str, ...],
    options: tuple[str, ...],
    with_names: bool,
) -> ResolverConfiguration:
    """A container's, out of the machine's and what was asked for.

    `with_names`: its networks know names, so it asks the name server in its namespace. That is
    asked, too, where the machine's own name servers are on addresses that only it can reach.
    A search of `.` means none.
    """
    chosen_search = search or host.search
    chosen_options = options or host.options
    if with_names and not any(option.startswith("ndots:") for option in chosen_options):
        chosen_options = (*chosen_options, "ndots:0")
    reachable = servers or tuple(each for each in host.name_servers if not _is_loopback(each))
    return ResolverConfiguration(
        name_servers=(NAME_SERVER,) if with_names or not reachable else reachable,
        search=() if "." in chosen_search else chosen_search,
        options=chosen_options,
    )


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return True  # whatever it is, it is no address to ask


def name_servers(texts: Iterable[str]) -> tuple[Address, ...]:
    """The servers that queries can be forwarded to. Raises InvalidConfiguration."""
    found = []
    for text in texts:
        try:
            found.append(ip_address(text))
        except ValueError as error:
            raise InvalidConfiguration(f"invalid DNS server {text!r}: {error}") from error
    return tuple(found)


def hosts_text(
    identity: ContainerIdentity, addresses: Iterable[str], extra: Iterable[tuple[str, str]]
) -> str:
    """`extra` are addresses and the names that they have; then come the container's own."""
    lines = [f"{address}\t{names}\n" for address, names in extra]
    lines += [f"{address}\t{own_names(identity)}\n" for address in addresses]
    return _LOCAL_HOSTS + "".join(lines)


def own_names(identity: ContainerIdentity) -> str:
    """Its host name, with the domain first if it has one."""
    if not identity.domain_name:
        return identity.hostname
    return f"{identity.hostname}.{identity.domain_name} {identity.hostname}"


def extra_host_lines(entries: Iterable[str], gateway: str) -> list[tuple[str, str]]:
    """Of `--add-host NAME:ADDRESS`; `host-gateway` is the machine. Raises InvalidConfiguration."""
    lines = []
    for entry in entries:
        name, *rest = _SEPARATOR.split(entry, maxsplit=1)
        if not rest or not name or any(character.isspace() for character in name):
            raise InvalidConfiguration(f"bad format for add-host: {entry!r}")
        wanted = rest[0].strip("[]")
        if wanted == HOST_GATEWAY:
            if not gateway:
                raise InvalidConfiguration(
                    f"unable to derive the IP value for {HOST_GATEWAY}: no network has a gateway"
                )
            wanted = gateway
        _check_address(wanted)
        lines.append((wanted, name))
    return lines


def _check_address(text: str) -> None:
    try:
        ip_address(text)
    except (ValueError, AddressValueError) as error:
        raise InvalidConfiguration(f"invalid IP address in add-host: {text!r}") from error
