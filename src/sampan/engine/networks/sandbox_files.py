"""The hosts, resolv.conf and hostname files of sandboxes, written and changed in their place.

They are mounted into containers, which may write to them: what is read back is bounded.
"""

import contextlib
import errno
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from sampan.engine.networks.container_files import (
    ResolverConfiguration,
    extra_host_lines,
    hosts_text,
    name_servers,
    own_names,
    parse_resolver_configuration,
    resolver_configuration,
)
from sampan.engine.networks.contract import BRIDGE, HOST
from sampan.engine.networks.sandbox_record import PlacedEndpoint, SandboxFolder, SandboxRecord
from sampan.network.dns_process import RESOLVER_FILES

_LARGEST_FILE = 1 << 20
HOSTS, RESOLVER, HOSTNAME = "hosts", "resolv.conf", "hostname"
_MACHINE_HOSTS = Path("/etc/hosts")
_log = logging.getLogger(__name__)


class SandboxFiles:
    """Methods raise OSError, `write` InvalidConfiguration too."""

    def __init__(self, folder: SandboxFolder) -> None:
        self._folder = folder

    def write(self, record: SandboxRecord, linked: Iterable[tuple[str, str]]) -> None:
        """All three, but for a container that uses another's."""
        if record.shares:
            return
        container, request = record.identity.identifier, record.request
        name_servers(request.dns)
        extra = extra_host_lines(request.extra_hosts, _gateway(record))
        if request.mode == HOST:
            hosts = _beginning(_MACHINE_HOSTS) + "".join(
                f"{address}\t{name}\n" for address, name in extra
            )
        else:
            own = [address for endpoint in record.endpoints for address in endpoint.addresses()]
            hosts = hosts_text(record.identity, own, [*extra, *linked])
        self._folder.make_files(container)
        self._folder.write(container, HOSTS, hosts)
        self._folder.write(container, RESOLVER, _resolver_text(record))
        self._folder.write(container, HOSTNAME, f"{record.identity.hostname}\n")

    def add_endpoint(self, record: SandboxRecord, endpoint: PlacedEndpoint) -> None:
        """One more of the container's own addresses, and the names of one more network."""
        lines = [f"{address}\t{own_names(record.identity)}\n" for address in endpoint.addresses()]
        with _unless_full(record):
            self._change_hosts(record, (), lines)
            self._folder.write(record.identity.identifier, RESOLVER, _resolver_text(record))

    def remove_endpoint(self, record: SandboxRecord, endpoint: PlacedEndpoint) -> None:
        with _unless_full(record):
            self._change_hosts(record, tuple(endpoint.addresses()), [])

    def _change_hosts(
        self, record: SandboxRecord, without: tuple[str, ...], lines: list[str]
    ) -> None:
        container = record.identity.identifier
        with self._folder.path(container, HOSTS).open(errors="surrogateescape") as file:
            text = file.read(_LARGEST_FILE)
        gone = tuple(f"{address}\t" for address in without)
        kept = [line for line in text.splitlines(keepends=True) if not line.startswith(gone)]
        self._folder.write(container, HOSTS, "".join([*(kept if gone else [text]), *lines]))


@contextlib.contextmanager
def _unless_full(record: SandboxRecord) -> Iterator[None]:
    """A container that filled its own files does without what else would be in them."""
    try:
        yield
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise
        _log.warning("%s has filled its hosts and resolv.conf files", record.identity.name)


def _gateway(record: SandboxRecord) -> str:
    """How the container reaches the machine."""
    if record.request.mode == HOST:
        return "127.0.0.1"
    outward = record.way_out()
    return outward.settings.gateway if outward else ""


def _beginning(path: Path) -> str:
    """What a file of the machine's says; nothing if there is none."""
    try:
        with path.open(errors="replace") as file:
            return file.read(_LARGEST_FILE)
    except FileNotFoundError:
        return ""


def _machine_resolvers() -> ResolverConfiguration:
    """Those of the first file that names a server which is not on the loopback."""
    found = ResolverConfiguration()
    for path in RESOLVER_FILES:
        parsed = parse_resolver_configuration(_beginning(path))
        found = found if found.name_servers else parsed
        if any(not server.startswith("127.") for server in parsed.name_servers):
            return parsed
    return found


def _resolver_text(record: SandboxRecord) -> str:
    request = record.request
    if request.mode == HOST and not (request.dns or request.dns_search or request.dns_options):
        return _beginning(RESOLVER_FILES[0])
    configuration = resolver_configuration(
        _machine_resolvers(),
        servers=request.dns,
        search=request.dns_search,
        options=request.dns_options,
        with_names=any(endpoint.network_name != BRIDGE for endpoint in record.endpoints),
    )
    return configuration.text()
