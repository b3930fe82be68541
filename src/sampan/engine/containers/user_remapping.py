"""Whose user namespace containers run in: what the machine's owner says, and /etc/subuid. Pure.

    SAMPAN_USERNS_REMAP=default        # the ranges of the user `dockremap`
    SAMPAN_USERNS_REMAP=alice          # or of a user, `USER:GROUP`, names or numbers

The rules are those of Docker's `userns-remap`: root of a container is the first of the ranges
that /etc/subuid and /etc/subgid give to the name, and so on. Sources: subuid(5).
"""

from collections.abc import Callable, Iterator, Mapping

from sampan.engine.containers.configuration import HostConfiguration
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.contract import HOST
from sampan.host.identifier_map import IdentifierMap
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

VARIABLE = "SAMPAN_USERNS_REMAP"
_DEFAULT, _DEFAULT_USER = "default", "dockremap"


def remapping(environment: Mapping[str, str], read: Callable[[str], str]) -> OwnerMaps:
    """What is said; `read` gives the text of a file. Raises InvalidConfiguration, OSError."""
    said = environment.get(VARIABLE, "")
    if not said:
        return UNMAPPED
    user, _, group = (_DEFAULT_USER if said == _DEFAULT else said).partition(":")
    users = _ranges("/etc/subuid", _names(user, read("/etc/passwd")), read)
    groups = _ranges("/etc/subgid", _names(group or user, read("/etc/group")), read)
    return OwnerMaps(users, groups)


def maps_of(host: HostConfiguration, machine: OwnerMaps) -> OwnerMaps:
    """Those of a container that is to be made. Raises InvalidConfiguration in Docker's words."""
    if machine == UNMAPPED or host.user_namespace_mode == "host":
        return UNMAPPED
    if host.privileged:
        raise InvalidConfiguration(
            "privileged mode is incompatible with user namespaces.  You must run the container "
            "in the host namespace when running privileged mode"
        )
    if host.network_mode == HOST:
        raise InvalidConfiguration(
            "cannot share the host's network namespace when user namespaces are enabled"
        )
    if host.process_mode == "host":
        raise InvalidConfiguration(
            "cannot share the host PID namespace when user namespaces are enabled"
        )
    return machine


def _names(name: str, accounts: str) -> set[str]:
    """A name with the number that accounts have for it, or the other way round."""
    found = {name}
    for line in accounts.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and name in (fields[0], fields[2]):
            found |= {fields[0], fields[2]}
    return found


def _ranges(file: str, names: set[str], read: Callable[[str], str]) -> tuple[IdentifierMap, ...]:
    """All ranges of a name, the lowest first, as one row of identifiers."""
    found, inside = [], 0
    for start, count in sorted(_given(read(file), names)):
        found.append(IdentifierMap(inside, start, count))
        inside += count
    if not found:
        raise InvalidConfiguration(f"{VARIABLE}: no range of {min(names)!r} is in {file}")
    return tuple(found)


def _given(text: str, names: set[str]) -> Iterator[tuple[int, int]]:
    for line in text.splitlines():
        name, _, numbers = line.strip().partition(":")
        start, _, count = numbers.partition(":")
        if name in names and start.isdecimal() and count.isdecimal() and int(count):
            yield int(start), int(count)
