"""The rules of ports: their numbers, names and protocols, and those of a node that pods take."""

from collections.abc import Iterable, Iterator

from sampan.kubernetes.kinds.field_rules import PORT_RANGE, check_text, is_address
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, invalid, required, unsupported

PROTOCOLS = ("TCP", "UDP", "SCTP")


def is_port(value: object) -> bool:
    return isinstance(value, int) and 1 <= value <= 65535


def check_port_reference(port: int | str, field: str) -> Iterator[Cause]:
    """A port's number, or the name of one."""
    if isinstance(port, str):
        yield from check_text(names.port_name, port, field)
    elif not is_port(port):
        yield invalid(field, port, PORT_RANGE)


def check_container_ports(ports: list[Object], field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path = f"{field}[{index}]"
        name = port.get("name", "")
        if name:
            yield from check_text(names.port_name, name, f"{path}.name")
            if name in seen:
                yield duplicate(f"{path}.name", name)
            seen.add(name)
        if not port.get("containerPort"):
            yield required(f"{path}.containerPort")
        elif not is_port(port["containerPort"]):
            yield invalid(f"{path}.containerPort", port["containerPort"], PORT_RANGE)
        if port.get("hostPort") and not is_port(port["hostPort"]):
            yield invalid(f"{path}.hostPort", port["hostPort"], PORT_RANGE)
        if not port.get("protocol"):
            yield required(f"{path}.protocol")
        elif port["protocol"] not in PROTOCOLS:
            yield unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)
        if port.get("hostIP") and not is_address(port["hostIP"]):
            detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            yield invalid(f"{path}.hostIP", port["hostIP"], detail)


def check_host_ports(containers: Iterable[Object], field: str) -> Iterator[Cause]:
    """No two containers of a pod take the same port of the node."""
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            number = port.get("hostPort")
            if not number:
                continue
            shown = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{number}"
            if shown in taken:
                yield duplicate(f"{field}[{index}].ports[{position}].hostPort", shown)
            taken.add(shown)


def check_host_network_ports(containers: Iterable[Object], field: str) -> Iterator[Cause]:
    """In the node's own network a port of a container is that of the node."""
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort") != port.get("containerPort"):
                path = f"{field}[{index}].ports[{position}].hostPort"
                detail = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(path, port.get("hostPort", 0), detail)
