"""Services with session affinity: a chain each, and a set of its clients for each endpoint.

A client that an endpoint's set remembers goes there again (and is remembered for longer);
another draws an endpoint. Names in the kernel are digests: what users call their services
never becomes part of a command. Pure.
"""

from hashlib import sha256

from sampan.network.contract import Endpoint, ServicePort


def affinity_chain(name: str) -> str:
    """The chain of the service called `name`."""
    return f"affinity-{sha256(name.encode()).hexdigest()[:16]}"


def _endpoint_name(chain: str, endpoint: Endpoint) -> str:
    return f"{chain}-{endpoint.address}-{endpoint.port}"


def affinity_commands(
    table: str, name: str, before: ServicePort | None, after: ServicePort | None
) -> list[str]:
    """Commands of nft(8) that lead from one state of the service's chain to the other.

    None, or a port without affinity or endpoints, has no chain. The clients of endpoints that
    stay are remembered.
    """
    had, has = _endpoints(before), _endpoints(after)
    chain = affinity_chain(name)
    changed = _differ(before, after)
    kept = set() if changed else set(had) & set(has)
    commands = [f"flush chain ip {table} {chain}"] if had else []
    for endpoint in had:
        if endpoint not in kept:
            commands += _removal(table, _endpoint_name(chain, endpoint))
    if has and after is not None:
        commands += [] if had else [f"add chain ip {table} {chain}"]
        for endpoint in has:
            if endpoint not in kept:
                commands += _addition(table, _endpoint_name(chain, endpoint), endpoint, after)
        commands += _dispatch(table, chain, has)
    elif had:
        commands.append(f"delete chain ip {table} {chain}")
    return commands


def _endpoints(port: ServicePort | None) -> tuple[Endpoint, ...]:
    return port.endpoints if port is not None and port.affinity_seconds else ()


def _differ(before: ServicePort | None, after: ServicePort | None) -> bool:
    """Whether the endpoints' own chains would be others."""
    if before is None or after is None:
        return True
    was = (before.affinity_seconds, before.protocol)
    return was != (after.affinity_seconds, after.protocol)


def _removal(table: str, endpoint_name: str) -> list[str]:
    return [
        f"flush chain ip {table} {endpoint_name}",
        f"delete chain ip {table} {endpoint_name}",
        f"delete set ip {table} {endpoint_name}",
    ]


def _addition(table: str, endpoint_name: str, endpoint: Endpoint, port: ServicePort) -> list[str]:
    remember = f"update @{endpoint_name} {{ ip saddr timeout {port.affinity_seconds}s }}"
    target = f"{endpoint.address}:{endpoint.port}"
    rule = f"rule ip {table} {endpoint_name}"
    return [
        f"add set ip {table} {endpoint_name} {{ type ipv4_addr; flags dynamic,timeout; "
        f"size 65536; }}",
        f"add chain ip {table} {endpoint_name}",
        f"add {rule} {remember} meta l4proto {port.protocol} dnat to {target}",
    ]


def _dispatch(table: str, chain: str, endpoints: tuple[Endpoint, ...]) -> list[str]:
    rule = f"add rule ip {table} {chain}"
    names = [_endpoint_name(chain, endpoint) for endpoint in endpoints]
    drawn = ", ".join(f"{index} : goto {name}" for index, name in enumerate(names))
    return [
        *(f"{rule} ip saddr @{name} goto {name}" for name in names),
        f"{rule} numgen random mod {len(names)} vmap {{ {drawn} }}",
    ]
