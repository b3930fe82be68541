"""FlowSchemas and PriorityLevelConfigurations, as much of them as is read here."""

from collections.abc import Iterable

import msgspec

ALL = "*"
CATCH_ALL = "catch-all"


class Metadata(msgspec.Struct, frozen=True):
    name: str
    uid: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class Subject(msgspec.Struct, frozen=True, rename="camel"):
    kind: str
    user: _Named = _Named()
    group: _Named = _Named()
    service_account: _Named = _Named()


class ResourceRule(msgspec.Struct, frozen=True, rename="camel"):
    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    cluster_scope: bool = False
    namespaces: tuple[str, ...] = ()


class NonResourceRule(msgspec.Struct, frozen=True):
    verbs: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """Matches who is among the subjects and does what is in one of the other lists."""

    subjects: tuple[Subject, ...] = ()
    resource_rules: tuple[ResourceRule, ...] = ()
    non_resource_rules: tuple[NonResourceRule, ...] = ()


class _Distinguisher(msgspec.Struct, frozen=True):
    type: str = ""


class _SchemaSpec(msgspec.Struct, frozen=True, rename="camel"):
    priority_level_configuration: _Named = _Named()
    matching_precedence: int = 1000
    distinguisher_method: _Distinguisher | None = None
    rules: tuple[Rule, ...] = ()


class FlowSchema(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _SchemaSpec = _SchemaSpec()

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands among all: the first that matches counts."""
        return self.spec.matching_precedence, self.metadata.name


class Queuing(msgspec.Struct, frozen=True, rename="camel"):
    queues: int = 64
    hand_size: int = 8
    queue_length_limit: int = 50


class _LimitResponse(msgspec.Struct, frozen=True):
    type: str = "Reject"
    queuing: Queuing = Queuing()


class Limited(msgspec.Struct, frozen=True, rename="camel"):
    nominal_concurrency_shares: int = 30
    lendable_percent: int = 0
    borrowing_limit_percent: int | None = None
    limit_response: _LimitResponse = _LimitResponse()

    @property
    def queuing(self) -> Queuing | None:
        """How requests wait for a seat; None when they don't."""
        return self.limit_response.queuing if self.limit_response.type == "Queue" else None


class _Exempt(msgspec.Struct, frozen=True, rename="camel"):
    nominal_concurrency_shares: int = 0
    lendable_percent: int = 0


class _LevelSpec(msgspec.Struct, frozen=True):
    type: str = "Exempt"
    limited: Limited | None = None
    exempt: _Exempt | None = None


class PriorityLevel(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: _LevelSpec = _LevelSpec()

    @property
    def limited(self) -> Limited | None:
        """Its limits; None for an exempt level."""
        return (self.spec.limited or Limited()) if self.spec.type == "Limited" else None

    @property
    def shares(self) -> int:
        limited = self.limited
        if limited is not None:
            return limited.nominal_concurrency_shares
        return (self.spec.exempt or _Exempt()).nominal_concurrency_shares


decode_schema = msgspec.json.Decoder(FlowSchema).decode
decode_level = msgspec.json.Decoder(PriorityLevel).decode


def in_order(schemas: Iterable[FlowSchema]) -> tuple[FlowSchema, ...]:
    """By precedence, and by name where that is the same."""
    return tuple(sorted(schemas, key=lambda schema: schema.order))
