"""Webhooks as configurations name them, compiled for every write that they may concern."""

import msgspec

from sampan.control.api.admission.matching.conditions import Conditions, MatchCondition
from sampan.control.api.admission.matching.rules import Rule
from sampan.control.api.admission.matching.selection import Selectors, selectors_of
from sampan.control.api.outgoing.webhook_caller import WebhookClient
from sampan.kubernetes.kinds.kind import Object


class _Webhook(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    client_config: WebhookClient
    rules: tuple[Rule, ...] = ()
    failure_policy: str = "Fail"
    match_policy: str = "Equivalent"
    namespace_selector: Object | None = None
    object_selector: Object | None = None
    match_conditions: tuple[MatchCondition, ...] = ()
    side_effects: str = "None"
    timeout_seconds: int = 10
    reinvocation_policy: str = "Never"


class _Metadata(msgspec.Struct, frozen=True):
    name: str


class _Configuration(msgspec.Struct, frozen=True):
    metadata: _Metadata
    webhooks: tuple[_Webhook, ...] = ()


_decode = msgspec.json.Decoder(_Configuration).decode


class Webhook(msgspec.Struct, frozen=True):
    """One webhook. `key` tells it from all others; `ignores` says that writes go on when it
    can't be asked."""

    key: str
    name: str
    configuration: str
    client: WebhookClient
    rules: tuple[Rule, ...]
    ignores: bool
    equivalent: bool
    selectors: Selectors
    conditions: Conditions
    has_side_effects: bool
    seconds: int
    reinvoked: bool


def webhooks_of(data: bytes) -> tuple[Webhook, ...]:
    """The webhooks of a stored configuration, in their order. Raises msgspec.ValidationError."""
    configuration = _decode(data)
    name = configuration.metadata.name
    return tuple(
        Webhook(
            key=f"{name}/{it.name}/{index}",
            name=it.name,
            configuration=name,
            client=it.client_config,
            rules=it.rules,
            ignores=it.failure_policy == "Ignore",
            equivalent=it.match_policy == "Equivalent",
            selectors=selectors_of(it.namespace_selector, it.object_selector),
            conditions=Conditions(it.match_conditions),
            has_side_effects=it.side_effects not in ("None", "NoneOnDryRun"),
            seconds=it.timeout_seconds,
            reinvoked=it.reinvocation_policy == "IfNeeded",
        )
        for index, it in enumerate(configuration.webhooks)
    )
