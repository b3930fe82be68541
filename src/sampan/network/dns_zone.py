"""The names of the cluster and what they resolve to. Pure; no wire, no upstream.

Rules: "Kubernetes DNS-Based Service Discovery", specification 1.1.0. Names below the cluster's
domain and reverse names of its addresses are answered here, with "there is no such name" too;
for all others `look_up` gives None, and somebody else is asked.
"""

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from sampan.network import dns_messages as dns
from sampan.network.contract import DnsRecords
from sampan.network.dns_messages import Answer, Record

TIME_TO_LIVE = 5
SCHEMA_VERSION = "1.1.0"
_REVERSE = ".in-addr.arpa"
_MOST_ADDITIONAL = 16


class Zone:
    """What the name server knows."""

    def __init__(
        self, domain: str, pod_range: IPv4Network, ranges: Iterable[IPv4Network] = ()
    ) -> None:
        """Reverse names of the addresses in `ranges` are answered here alone."""
        self._domain = domain
        self._pod_range = pod_range
        self._ranges = tuple(ranges)
        self._addresses: dict[str, tuple[IPv4Address, ...]] = {}
        self._services: dict[str, tuple[tuple[int, str], ...]] = {}
        self._pointers: dict[str, str] = {}
        self._above: dict[str, int] = {domain: 1, f"pod.{domain}": 1, f"svc.{domain}": 1}
        self._serial = 1

    def update(self, changed: DnsRecords, removed: Iterable[str]) -> list[str]:
        """Forget the names in `removed` (reverse names among them), then add or replace.

        What cannot be said in DNS is left out; these names are returned.
        """
        self._serial += 1
        refused = []
        for name in removed:
            self._forget(name)
        for name, addresses in changed.addresses.items():
            if _all_names(name):
                self._know(name)
                self._addresses[name] = addresses
            else:
                refused.append(name)
        for name, targets in changed.services.items():
            if _all_names(name, *(target for _, target in targets)):
                self._know(name)
                self._services[name] = targets
            else:
                refused.append(name)
        for address, target in changed.pointers.items():
            if _all_names(target):
                self._pointers[address.reverse_pointer] = target
            else:
                refused.append(target)
        return refused

    def _is_known(self, name: str) -> bool:
        return name in self._addresses or name in self._services

    def _know(self, name: str) -> None:
        if not self._is_known(name):
            for parent in _parents(name):
                self._above[parent] = self._above.get(parent, 0) + 1

    def _forget(self, name: str) -> None:
        self._pointers.pop(name, None)
        if not self._is_known(name):
            return
        self._addresses.pop(name, None)
        self._services.pop(name, None)
        for parent in _parents(name):
            self._above[parent] -= 1
            if not self._above[parent]:
                del self._above[parent]

    def look_up(self, name: str, kind: int) -> Answer | None:
        """What there is to say about a name in lower case; None if it is none of ours."""
        if name == self._domain or name.endswith(f".{self._domain}"):
            return self._answer(self._records(name, kind), self._exists(name), self._domain)
        if name.endswith(_REVERSE):
            return self._look_up_reverse(name, kind)
        return None

    def _exists(self, name: str) -> bool:
        return (
            self._is_known(name)
            or name in self._above
            or self._pod_address(name) is not None
            or name == f"dns-version.{self._domain}"
        )

    def _records(self, name: str, kind: int) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
        """Answers, and the addresses of the services they name."""
        if kind == dns.A:
            pod = self._pod_address(name)
            addresses = self._addresses.get(name, () if pod is None else (pod,))
            return tuple(dns.address_record(each, TIME_TO_LIVE) for each in addresses), ()
        if kind == dns.SRV:
            targets = self._services.get(name, ())
            found = tuple(dns.service_record(port, to, TIME_TO_LIVE) for port, to in targets)
            return found, self._additional({target for _, target in targets})
        if kind == dns.TXT and name == f"dns-version.{self._domain}":
            return (dns.text_record(SCHEMA_VERSION, TIME_TO_LIVE),), ()
        if kind == dns.SOA and name == self._domain:
            return (self._authority(name),), ()
        return (), ()

    def _additional(self, targets: set[str]) -> tuple[Record, ...]:
        return tuple(
            dns.address_record(address, TIME_TO_LIVE, target)
            for target in sorted(targets)[:_MOST_ADDITIONAL]
            for address in self._addresses.get(target, ())[:_MOST_ADDITIONAL]
        )

    def _pod_address(self, name: str) -> IPv4Address | None:
        """`10-42-0-5.NAMESPACE.pod.DOMAIN` says its address itself."""
        suffix = f".pod.{self._domain}"
        if not name.endswith(suffix):
            return None
        labels = name.removesuffix(suffix).split(".")
        if len(labels) != 2:
            return None
        try:
            address = IPv4Address(labels[0].replace("-", "."))
        except AddressValueError:
            return None
        return address if address in self._pod_range else None

    def _look_up_reverse(self, name: str, kind: int) -> Answer | None:
        target = self._pointers.get(name)
        if target is None:
            address = reversed_address(name)
            if address is None or not any(address in each for each in self._ranges):
                return None
        wanted = target is not None and kind in (dns.PTR, dns.ANY)
        records = (dns.pointer_record(target, TIME_TO_LIVE),) if target and wanted else ()
        return self._answer((records, ()), target is not None, _zone_of_reverse(name))

    def _answer(
        self, records: tuple[tuple[Record, ...], tuple[Record, ...]], exists: bool, zone: str
    ) -> Answer:
        answers, additional = records
        if answers:
            return Answer(answers=answers, additional=additional)
        code = dns.NO_ERROR if exists else dns.NAME_ERROR
        return Answer(code=code, authority=(self._authority(zone),))

    def _authority(self, zone: str) -> Record:
        return dns.authority_record(zone, self._serial, TIME_TO_LIVE)


def _all_names(*names: str) -> bool:
    try:
        for name in names:
            dns.encode_name(name)
    except ValueError:
        return False
    return True


def _parents(name: str) -> Iterable[str]:
    while "." in name:
        name = name.partition(".")[2]
        yield name


def reversed_address(name: str) -> IPv4Address | None:
    """The address whose reverse name this is; None for any other name."""
    if not name.endswith(_REVERSE):
        return None
    labels = name.removesuffix(_REVERSE).split(".")
    try:
        return IPv4Address(".".join(reversed(labels)))
    except AddressValueError:
        return None


def _zone_of_reverse(name: str) -> str:
    """The zone of the last 16 bits: `42.10.in-addr.arpa`."""
    return ".".join(name.split(".")[-4:])
