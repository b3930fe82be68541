"""Which containers a list shows: the filters of `docker ps`. Pure but for the images asked for."""

from collections.abc import Callable, Sequence
from typing import get_args

import msgspec

from sampan.engine.containers.contract import ContainerDetail, ContainerPhase, HealthStatus
from sampan.engine.contract import InvalidConfiguration, NotFound
from sampan.faces.dockerapi import container_state, times
from sampan.faces.dockerapi.filters import Filters

KNOWN = frozenset(
    [
        "ancestor",
        "annotation",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "isolation",
        "is-task",
        "label",
        "label!",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    ]
)
_PRUNE = frozenset(("label", "label!", "until"))
_PROTOCOLS = ("tcp", "udp", "sctp")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """`ancestors` are the identifiers of the images that the filter `ancestor` leads to."""

    filters: Filters
    every: bool = False
    limit: int = 0
    ancestors: frozenset[str] = frozenset()


def checked(filters: Filters) -> Filters:
    """Raises InvalidConfiguration."""
    filters.check(KNOWN)
    _check_words(filters, "status", get_args(ContainerPhase))
    _check_words(filters, "health", get_args(HealthStatus))
    for code in filters.values("exited"):
        if not code.lstrip("-").isdecimal():
            raise InvalidConfiguration(f"invalid filter 'exited={code[:80]}'")
    filters.flag("is-task")
    for name in ("publish", "expose"):
        for port in filters.values(name):
            _ports(port)
    return filters


def _check_words(filters: Filters, name: str, known: Sequence[str]) -> None:
    for value in filters.values(name):
        if value not in known:
            raise InvalidConfiguration(f"invalid filter '{name}={value[:80]}'")


def chosen(containers: Sequence[ContainerDetail], listing: Listing) -> list[ContainerDetail]:
    """Those to be shown, the newest first. Raises NotFound for `before` and `since`."""
    filters = listing.filters
    before = _named(containers, filters.one("before"))
    since = _named(containers, filters.one("since"))
    every = listing.every or listing.limit > 0 or "status" in filters
    found = []
    for container in containers:
        if not (every or container.state.running):
            continue
        if before is not None and container.created >= before.created:
            continue
        if since is not None and container.created <= since.created:
            continue
        if "ancestor" in filters and container.image not in listing.ancestors:
            continue
        if _fits(container, filters):
            found.append(container)
    return found[: listing.limit] if listing.limit > 0 else found


def _named(containers: Sequence[ContainerDetail], reference: str) -> ContainerDetail | None:
    if not reference:
        return None
    for container in containers:
        if container.name == reference.lstrip("/") or container.identifier.startswith(reference):
            return container
    raise NotFound(f"No such container: {reference[:80]}")


def _fits(container: ContainerDetail, filters: Filters) -> bool:
    return (
        filters.matches("name", container.name, f"/{container.name}")
        and filters.matches("id", container.identifier)
        and filters.labels(container.configuration.labels)
        and filters.exact("status", container.state.phase)
        and filters.exact("health", container_state.health_status(container))
        and filters.flag("is-task") is not True
        and _has_annotations(container, filters.values("annotation"))
        and _has_exited(container, filters.values("exited"))
        and _has_volume(container, filters)
        and _has_network(container, filters)
        and _has_ports(container, filters)
    )


def _has_annotations(container: ContainerDetail, wanted: Sequence[str]) -> bool:
    there = container.host.annotations or {}
    return all(
        key in there and (not separator or there[key] == value)
        for key, separator, value in (one.partition("=") for one in wanted)
    )


def _has_exited(container: ContainerDetail, codes: Sequence[str]) -> bool:
    if not codes:
        return True
    state = container.state
    return state.started > 0 and not state.running and str(state.exit_code) in codes


def _has_volume(container: ContainerDetail, filters: Filters) -> bool:
    names = [
        word for mount in container.mounts for word in (mount.name, mount.source, mount.destination)
    ]
    return filters.exact("volume", *filter(None, names))


def _has_network(container: ContainerDetail, filters: Filters) -> bool:
    identifiers = [one.network_identifier for one in container.networks.values()]
    return (
        "network" not in filters
        or filters.exact("network", *container.networks)
        or filters.starts("network", *filter(None, identifiers))
    )


def _has_ports(container: ContainerDetail, filters: Filters) -> bool:
    if "publish" in filters:
        published = {
            f"{binding.host_port}/{port.partition('/')[2]}"
            for port, bindings in container.ports.items()
            for binding in bindings or ()
        }
        if not published & _wanted_ports(filters, "publish"):
            return False
    if "expose" in filters:
        return bool(set(container.ports) & _wanted_ports(filters, "expose"))
    return True


def _wanted_ports(filters: Filters, name: str) -> set[str]:
    return {port for value in filters.values(name) for port in _ports(value)}


def _ports(text: str) -> set[str]:
    """`80`, `80/udp` or `8000-8010/tcp` as single ports. Raises InvalidConfiguration."""
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    valid = first.isdecimal() and (last or first).isdecimal()
    if not valid or int(last or first) > 65_535 or (protocol or "tcp") not in _PROTOCOLS:
        raise InvalidConfiguration(f"invalid port '{text[:80]}'")
    return {f"{number}/{protocol or 'tcp'}" for number in range(int(first), int(last or first) + 1)}


def pruned(filters: Filters, now: int) -> Callable[[ContainerDetail], bool]:
    """Which of those that don't run a prune takes. Raises InvalidConfiguration."""
    filters.check(_PRUNE)
    until = times.read(filters.one("until"), now)

    def takes(container: ContainerDetail) -> bool:
        old = not until or container.created < until
        return old and filters.labels(container.configuration.labels)

    return takes
