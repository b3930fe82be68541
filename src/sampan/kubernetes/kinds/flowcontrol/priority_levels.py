"""PriorityLevelConfiguration: how many requests of a kind run at once, and how others wait."""

import math
from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.flowcontrol import mandatory
from sampan.kubernetes.kinds.flowcontrol.flow_schemas import check_condition_types
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import PRIORITY_LEVEL_CONFIGURATIONS
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_TYPES = ("Exempt", "Limited")
_RESPONSES = ("Queue", "Reject")
_DEFAULT_SHARES = 30
_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
_MAXIMUM_QUEUES = 10_000_000
_HASH_BITS = 60
_LIMITED = "spec.limited"


def _default(level: Object) -> None:
    spec = level.setdefault("spec", {})
    if "exempt" in spec:
        spec["exempt"].setdefault("nominalConcurrencyShares", 0)
        spec["exempt"].setdefault("lendablePercent", 0)
    if "limited" in spec:
        limited = spec["limited"]
        limited.setdefault("nominalConcurrencyShares", _DEFAULT_SHARES)
        limited.setdefault("lendablePercent", 0)
        queuing = part(limited, "limitResponse", "queuing")
        if queuing is not None:
            for key, value in _QUEUING.items():
                if not queuing.get(key):
                    queuing[key] = value


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec, name = new.get("spec") or {}, new["metadata"].get("name", "")
    kind = spec.get("type", "")
    if (name == mandatory.EXEMPT) is not (kind == "Exempt"):
        detail = "type must be 'Exempt' if and only if `name` is 'exempt'"
        yield invalid("spec.type", kind, detail)
    if kind not in _TYPES:
        yield unsupported("spec.type", kind, _TYPES)
    elif kind == "Exempt":
        if "limited" in spec:
            yield forbidden(_LIMITED, "must be nil if the type is not Limited")
        yield from _check_shares(spec.get("exempt") or {}, "spec.exempt")
    elif "limited" not in spec:
        yield required(_LIMITED, "must not be empty when type is Limited")
    else:
        if "exempt" in spec:
            yield forbidden("spec.exempt", "must be nil if the type is Limited")
        yield from _check_limited(spec["limited"])
    fixed = mandatory.priority_levels().get(name)
    if fixed is not None and _without_shares(spec) != _without_shares(fixed):
        yield invalid("spec", spec, f"spec of '{name}' must equal the fixed value")
    yield from check_condition_types(part(new, "status", "conditions") or [])


def _without_shares(spec: Object) -> Object:
    """The part of a fixed spec that may not differ: how much `exempt` lends is free."""
    return {key: value for key, value in spec.items() if key != "exempt"}


def _check_shares(given: Object, field: str) -> Iterator[Cause]:
    shares, lendable = given.get("nominalConcurrencyShares", 0), given.get("lendablePercent", 0)
    if shares < 0:
        yield invalid(f"{field}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    if not 0 <= lendable <= 100:
        yield invalid(f"{field}.lendablePercent", lendable, "must be between 0 and 100, inclusive")


def _check_limited(limited: Object) -> Iterator[Cause]:
    yield from _check_shares(limited, _LIMITED)
    borrowing = limited.get("borrowingLimitPercent", 0)
    if borrowing < 0:
        detail = "if specified, must be a non-negative integer"
        yield invalid(f"{_LIMITED}.borrowingLimitPercent", borrowing, detail)
    response = limited.get("limitResponse") or {}
    kind, field = response.get("type", ""), f"{_LIMITED}.limitResponse"
    if kind not in _RESPONSES:
        yield unsupported(f"{field}.type", kind, _RESPONSES)
    elif kind == "Reject":
        if "queuing" in response:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            yield forbidden(f"{field}.queuing", detail)
    elif "queuing" not in response:
        detail = "must not be empty if limited.limitResponse.type is Limited"
        yield required(f"{field}.queuing", detail)
    else:
        yield from _check_queuing(response["queuing"], f"{field}.queuing")


def _check_queuing(queuing: Object, field: str) -> Iterator[Cause]:
    queues, hand = queuing.get("queues", 0), queuing.get("handSize", 0)
    limit = queuing.get("queueLengthLimit", 0)
    if limit <= 0:
        yield invalid(f"{field}.queueLengthLimit", limit, "must be positive")
    if queues <= 0:
        yield invalid(f"{field}.queues", queues, "must be positive")
    elif queues > _MAXIMUM_QUEUES:
        yield invalid(f"{field}.queues", queues, f"must not be greater than {_MAXIMUM_QUEUES}")
    if hand <= 0:
        yield invalid(f"{field}.handSize", hand, "must be positive")
    elif hand > queues:
        detail = f"should not be greater than queues ({queues})"
        yield invalid(f"{field}.handSize", hand, detail)
    elif _entropy(queues, hand) > _HASH_BITS:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be "
            f"greater than {_HASH_BITS}"
        )
        yield invalid(f"{field}.handSize", hand, detail)


def _entropy(queues: int, hand: int) -> int:
    """The bits of a hash that deal a hand; more than fit are not counted out."""
    if hand > _HASH_BITS:
        return hand
    return math.ceil(sum(math.log2(queues - dealt) for dealt in range(hand)))


def _limited(name: str, *keys: str) -> Column:
    def cell(level: Object) -> str | int:
        value = part(level, "spec", "limited", *keys)
        return NONE if value is None else int(value)

    return text(name, cell, about=f"{name} of a limited level.")


_QUEUING_PATH = ("limitResponse", "queuing")

PRIORITY_LEVEL_CONFIGURATION = make(
    PRIORITY_LEVEL_CONFIGURATIONS,
    default=_default,
    prepare=strategies.keep_status_count_generation,
    rules=_rules,
    prepare_status=strategies.only_status,
    status=True,
    columns=(
        NAME,
        text("Type", lambda obj: part(obj, "spec", "type") or "", about="Limited or Exempt."),
        _limited("NominalConcurrencyShares", "nominalConcurrencyShares"),
        _limited("Queues", *_QUEUING_PATH, "queues"),
        _limited("HandSize", *_QUEUING_PATH, "handSize"),
        _limited("QueueLengthLimit", *_QUEUING_PATH, "queueLengthLimit"),
        AGE,
    ),
)
