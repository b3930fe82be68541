"""NetworkPolicy: which pods may talk to which (pkg/apis/networking/validation)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, selector_text, text
from sampan.kubernetes.kinds.core.port_validation import (
    PROTOCOLS,
    check_port_reference,
    is_port,
)
from sampan.kubernetes.kinds.field_rules import PORT_RANGE, check_choice, check_range, network_of
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import NETWORK_POLICIES
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_TYPES = ("Egress", "Ingress")
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def _default(policy: Object) -> None:
    """Ports are of TCP; a policy is about what comes in, and about what goes out if it has
    rules for that."""
    spec = policy.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for direction, _ in _DIRECTIONS:
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _prepare(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")
    new.pop("status", None)


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_label_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            field = f"spec.{direction}[{index}]"
            for position, port in enumerate(rule.get("ports") or ()):
                yield from _check_port(port, f"{field}.ports[{position}]")
            for position, peer in enumerate(rule.get(peers) or ()):
                yield from _check_peer(peer, f"{field}.{peers}[{position}]")
    types = spec.get("policyTypes") or []
    if len(types) > len(_TYPES):
        yield invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(types):
        if kind not in _TYPES:
            yield unsupported(f"spec.policyTypes[{index}]", kind, _TYPES)


def _check_port(port: Object, field: str) -> Iterator[Cause]:
    yield from check_choice(port, "protocol", PROTOCOLS, field)
    first, last = port.get("port"), port.get("endPort")
    if first is not None:
        yield from check_port_reference(first, f"{field}.port")
    if last is None:
        return
    if first is None:
        yield invalid(f"{field}.endPort", last, "may not be specified when `port` is not specified")
    elif isinstance(first, str):
        yield invalid(f"{field}.endPort", last, "may not be specified when `port` is non-numeric")
    else:
        if last < first:
            yield invalid(f"{field}.endPort", last, "must be greater than or equal to `port`")
        if not is_port(last):
            yield invalid(f"{field}.endPort", last, PORT_RANGE)


def _check_peer(peer: Object, field: str) -> Iterator[Cause]:
    for name in ("podSelector", "namespaceSelector"):
        if name in peer:
            yield from check_label_selector(peer[name], f"{field}.{name}")
    if "ipBlock" in peer:
        yield from _check_block(peer["ipBlock"], f"{field}.ipBlock")
        if len(peer) > 1:
            yield forbidden(field, "may not specify both ipBlock and another peer")
    if not peer:
        yield required(field, "must specify a peer")


def _check_block(block: Object, field: str) -> Iterator[Cause]:
    given = block.get("cidr", "")
    if not given:
        yield required(f"{field}.cidr")
        return
    yield from check_range(given, f"{field}.cidr")
    whole = network_of(given)
    for index, excepted in enumerate(block.get("except") or ()):
        path = f"{field}.except[{index}]"
        yield from check_range(excepted, path)
        hole = network_of(excepted)
        if whole is None or hole is None:
            continue
        if not (
            whole.version == hole.version
            and hole.network_address in whole
            and whole.prefixlen < hole.prefixlen
        ):
            yield invalid(path, excepted, "must be a strict subset of `cidr`")


NETWORK_POLICY = make(
    NETWORK_POLICIES,
    default=_default,
    prepare=_prepare,
    rules=_rules,
    short_names=("netpol",),
    columns=(
        NAME,
        text(
            "Pod-Selector",
            lambda obj: selector_text(part(obj, "spec", "podSelector")),
            about="Selects the pods to which this NetworkPolicy object applies.",
        ),
        AGE,
    ),
)
