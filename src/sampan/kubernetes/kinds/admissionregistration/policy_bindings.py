"""What binds an admission policy to resources and parameters."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.admissionregistration.match_rules import (
    check_matched,
    default_matched,
)
from sampan.kubernetes.kinds.columns import AGE, NAME, part, selector_text, text
from sampan.kubernetes.kinds.field_rules import check_choice, check_required_text, check_text
from sampan.kubernetes.kinds.kind import Cause, Kind, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.kinds.record import Rules, make
from sampan.kubernetes.kinds.resource import (
    MUTATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Resource,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, required, unsupported

_ACTIONS = ("Audit", "Deny", "Warn")
_NOT_FOUND_ACTIONS = ("Allow", "Deny")
_DENY_AND_WARN = (
    "must not contain both Deny and Warn (repeating the same validation failure information in "
    "the API response and headers serves no purpose)"
)


def _default(binding: Object) -> None:
    spec = binding.setdefault("spec", {})
    if "matchResources" in spec:
        default_matched(spec["matchResources"])
    if "paramRef" in spec:
        spec["paramRef"].setdefault("parameterNotFoundAction", "Deny")


def _prepare(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")


def _mutating_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from check_required_text(spec, "policyName", "spec", names.subdomain)
    if "paramRef" in spec:
        yield from _check_reference(spec["paramRef"], "spec.paramRef")
    if "matchResources" in spec:
        yield from check_matched(spec["matchResources"], "spec.matchResources")


def _validating_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    yield from _mutating_rules(new, old)
    field, actions = "spec.validationActions", part(new, "spec", "validationActions") or []
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            yield unsupported(f"{field}[{index}]", action, _ACTIONS)
        if action in actions[:index]:
            yield duplicate(f"{field}[{index}]", action)
    if "Deny" in actions and "Warn" in actions:
        yield invalid(field, actions, _DENY_AND_WARN)
    if not actions:
        yield required(field, "at least one validation action is required")


def _check_reference(reference: Object, field: str) -> Iterator[Cause]:
    name = reference.get("name", "")
    if name:
        yield from check_text(names.path_segment, name, f"{field}.name")
        if "selector" in reference:
            detail = "name and selector are mutually exclusive"
            yield forbidden(f"{field}.name", detail)
    elif "selector" in reference:
        yield from check_label_selector(reference["selector"], f"{field}.selector")
    else:
        yield required(field, "one of name or selector must be specified")
    yield from check_choice(reference, "parameterNotFoundAction", _NOT_FOUND_ACTIONS, field)


def _parameters(binding: Object) -> str:
    reference = part(binding, "spec", "paramRef")
    if reference is None:
        return "<unset>"
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    return selector_text(reference["selector"]) if "selector" in reference else "<unset>"


def _binding(resource: Resource, rules: Rules) -> Kind:
    return make(
        resource,
        default=_default,
        prepare=_prepare,
        rules=rules,
        categories=("api-extensions",),
        columns=(
            NAME,
            text(
                "PolicyName",
                lambda obj: part(obj, "spec", "policyName") or "",
                about="The policy that is bound.",
            ),
            text("ParamRef", _parameters, about="The parameters that the policy gets."),
            AGE,
        ),
    )


VALIDATING_ADMISSION_POLICY_BINDING = _binding(
    VALIDATING_ADMISSION_POLICY_BINDINGS, _validating_rules
)
MUTATING_ADMISSION_POLICY_BINDING = _binding(MUTATING_ADMISSION_POLICY_BINDINGS, _mutating_rules)
