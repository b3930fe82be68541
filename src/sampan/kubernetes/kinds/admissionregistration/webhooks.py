"""MutatingWebhookConfiguration and ValidatingWebhookConfiguration: who is asked about writes."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.admissionregistration.match_rules import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    REINVOCATION_POLICIES,
    check_conditions,
    check_rule,
    default_rule,
)
from sampan.kubernetes.kinds.columns import AGE, NAME, number
from sampan.kubernetes.kinds.field_rules import check_choice
from sampan.kubernetes.kinds.kind import Cause, Kind, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import (
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    Resource,
)
from sampan.kubernetes.kinds.webhook_clients import (
    check_client,
    check_review_versions,
    default_client,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, invalid, required, unsupported

REVIEW_VERSIONS = ("v1", "v1beta1")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_DEFAULT_TIMEOUT = 10
_LONGEST_TIMEOUT = 30
_TIMEOUT = "the timeout value must be between 1 and 30 seconds"
_QUALIFIED = "should be a domain with at least three segments separated by dots"


def _default(configuration: Object) -> None:
    mutating = configuration.get("kind") == MUTATING_WEBHOOK_CONFIGURATIONS.kind
    for webhook in configuration.get("webhooks") or ():
        webhook.setdefault("failurePolicy", "Fail")
        webhook.setdefault("matchPolicy", "Equivalent")
        webhook.setdefault("namespaceSelector", {})
        webhook.setdefault("objectSelector", {})
        webhook.setdefault("timeoutSeconds", _DEFAULT_TIMEOUT)
        if mutating:
            webhook.setdefault("reinvocationPolicy", "Never")
        default_client(webhook.get("clientConfig") or {})
        for rule in webhook.get("rules") or ():
            default_rule(rule)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "webhooks")


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, webhook in enumerate(new.get("webhooks") or ()):
        field, name = f"webhooks[{index}]", webhook.get("name", "")
        yield from _check_webhook(webhook, field)
        if name and name in seen:
            yield duplicate(f"{field}.name", name)
        seen.add(name)


def _check_webhook(webhook: Object, field: str) -> Iterator[Cause]:
    yield from _check_name(webhook.get("name", ""), f"{field}.name")
    for index, rule in enumerate(webhook.get("rules") or ()):
        yield from check_rule(rule, f"{field}.rules[{index}]")
    yield from check_choice(webhook, "failurePolicy", FAILURE_POLICIES, field)
    yield from check_choice(webhook, "matchPolicy", MATCH_POLICIES, field)
    yield from check_choice(webhook, "reinvocationPolicy", REINVOCATION_POLICIES, field)
    effects = webhook.get("sideEffects")
    if not effects:
        yield required(f"{field}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}")
    elif effects not in _SIDE_EFFECTS:
        yield unsupported(f"{field}.sideEffects", effects, _SIDE_EFFECTS)
    timeout = webhook.get("timeoutSeconds", _DEFAULT_TIMEOUT)
    if not 1 <= timeout <= _LONGEST_TIMEOUT:
        yield invalid(f"{field}.timeoutSeconds", timeout, _TIMEOUT)
    for key in ("namespaceSelector", "objectSelector"):
        yield from check_label_selector(webhook.get(key), f"{field}.{key}")
    yield from check_client(webhook.get("clientConfig") or {}, f"{field}.clientConfig")
    yield from check_conditions(webhook.get("matchConditions") or [], f"{field}.matchConditions")
    versions = webhook.get("admissionReviewVersions") or []
    yield from check_review_versions(versions, REVIEW_VERSIONS, f"{field}.admissionReviewVersions")


def _check_name(name: str, field: str) -> Iterator[Cause]:
    """IsFullyQualifiedName: a DNS name of three labels or more."""
    if not name:
        yield required(field)
        return
    messages = names.subdomain(name)
    if messages:
        yield invalid(field, name, messages[0])
    elif name.count(".") < 2:
        yield invalid(field, name, _QUALIFIED)


def _configuration(resource: Resource) -> Kind:
    return make(
        resource,
        default=_default,
        prepare=_prepare,
        rules=_rules,
        categories=("api-extensions",),
        columns=(
            NAME,
            number(
                "Webhooks",
                lambda obj: len(obj.get("webhooks") or ()),
                about="Webhooks indicates the number of webhooks registered in this configuration",
            ),
            AGE,
        ),
    )


MUTATING_WEBHOOK_CONFIGURATION = _configuration(MUTATING_WEBHOOK_CONFIGURATIONS)
VALIDATING_WEBHOOK_CONFIGURATION = _configuration(VALIDATING_WEBHOOK_CONFIGURATIONS)
