"""ValidatingAdmissionPolicy and MutatingAdmissionPolicy: rules about writes, in CEL.

The expressions themselves are compiled where the language lives; here stand the rules of what
surrounds them.
"""

import re
from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.admissionregistration.match_rules import (
    FAILURE_POLICIES,
    REINVOCATION_POLICIES,
    check_conditions,
    check_matched,
    default_matched,
)
from sampan.kubernetes.kinds.columns import AGE, NAME, number, part, text
from sampan.kubernetes.kinds.field_rules import (
    check_choice,
    check_group_version,
    check_text,
    check_unique,
)
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import (
    MUTATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICIES,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_PATCH_TYPES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_MAXIMUM_AUDIT_ANNOTATIONS = 20
_LONGEST_AUDIT_EXPRESSION = 5 << 10
_NOTHING_TO_DO = "validations or auditAnnotations must contain at least one item"
_RESERVED = (
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
)
_identifier = re.compile("[_a-zA-Z][_a-zA-Z0-9]*")


def _default(policy: Object) -> None:
    spec = policy.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    if policy.get("kind") == MUTATING_ADMISSION_POLICIES.kind:
        spec.setdefault("reinvocationPolicy", "Never")
    if "matchConstraints" in spec:
        default_matched(spec["matchConstraints"])


def _validating_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from _check_common(spec)
    validations = spec.get("validations") or []
    annotations = spec.get("auditAnnotations") or []
    if not validations and not annotations:
        yield required("spec.validations", _NOTHING_TO_DO)
        yield required("spec.auditAnnotations", _NOTHING_TO_DO)
    for index, validation in enumerate(validations):
        yield from _check_validation(validation, f"spec.validations[{index}]")
    yield from _check_audit(annotations, new["metadata"].get("name", ""))


def _mutating_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    yield from _check_common(spec)
    yield from check_choice(spec, "reinvocationPolicy", REINVOCATION_POLICIES, "spec")
    mutations = spec.get("mutations") or []
    if not mutations:
        yield required("spec.mutations", "mutations must contain at least one item")
    for index, mutation in enumerate(mutations):
        yield from _check_mutation(mutation, f"spec.mutations[{index}]")


def _check_common(spec: Object) -> Iterator[Cause]:
    yield from check_choice(spec, "failurePolicy", FAILURE_POLICIES, "spec")
    if "paramKind" in spec:
        yield from _check_parameter_kind(spec["paramKind"], "spec.paramKind")
    constraints = spec.get("matchConstraints")
    if constraints is None:
        yield required("spec.matchConstraints")
    else:
        yield from check_matched(constraints, "spec.matchConstraints")
        if not constraints.get("resourceRules"):
            yield required("spec.matchConstraints.resourceRules")
    yield from check_conditions(spec.get("matchConditions") or [], "spec.matchConditions")
    for index, variable in enumerate(spec.get("variables") or ()):
        yield from _check_variable(variable, f"spec.variables[{index}]")


def _check_parameter_kind(kind: Object, field: str) -> Iterator[Cause]:
    if not kind.get("apiVersion"):
        yield required(f"{field}.apiVersion")
    else:
        yield from check_group_version(kind["apiVersion"], f"{field}.apiVersion")
    name = kind.get("kind", "")
    if not name:
        yield required(f"{field}.kind")
        return
    for message in names.label_1035(name.lower()):
        detail = f"may have mixed case, but should otherwise match: {message}"
        yield invalid(f"{field}.kind", name, detail)


def _check_variable(variable: Object, field: str) -> Iterator[Cause]:
    name = variable.get("name", "")
    if not name.strip():
        yield required(f"{field}.name", "name is not specified")
    elif not _identifier.fullmatch(name) or name in _RESERVED:
        yield invalid(f"{field}.name", name, "name is not a valid CEL identifier")
    if not variable.get("expression", "").strip():
        yield required(f"{field}.expression", "expression is not specified")


def _check_validation(validation: Object, field: str) -> Iterator[Cause]:
    if not validation.get("expression", "").strip():
        yield required(f"{field}.expression", "expression is not specified")
    computed = validation.get("messageExpression", "")
    if computed and not computed.strip():
        detail = "must be non-empty if specified"
        yield invalid(f"{field}.messageExpression", computed, detail)
    message = validation.get("message", "")
    if message and not message.strip():
        yield invalid(f"{field}.message", message, "message must be non-empty if specified")
    elif "\n" in message.strip() or "\r" in message.strip():
        yield invalid(f"{field}.message", message, "message must not contain line breaks")
    if validation.get("reason"):
        yield from check_choice(validation, "reason", _REASONS, field)


def _check_audit(annotations: list[Object], policy: str) -> Iterator[Cause]:
    field = "spec.auditAnnotations"
    if len(annotations) > _MAXIMUM_AUDIT_ANNOTATIONS:
        detail = f"must not have more than {_MAXIMUM_AUDIT_ANNOTATIONS} auditAnnotations"
        yield invalid(field, annotations, detail)
    for index, annotation in enumerate(annotations):
        path, key = f"{field}[{index}]", annotation.get("key", "")
        if policy:
            qualified = f"{policy}/{key}"
            yield from check_text(names.qualified_name, qualified, f"{path}.key")
        else:
            yield from check_text(names.qualified_name, key, f"{path}.key")
        expression = annotation.get("valueExpression", "")
        if not expression.strip():
            yield required(f"{path}.valueExpression", "valueExpression is not specified")
        elif len(expression.strip()) > _LONGEST_AUDIT_EXPRESSION:
            detail = f"must not exceed {_LONGEST_AUDIT_EXPRESSION} bytes in length"
            yield required(f"{path}.valueExpression", detail)
    keys = [annotation.get("key", "") for annotation in annotations]
    yield from check_unique(keys, lambda index: f"{field}[{index}].key")


def _check_mutation(mutation: Object, field: str) -> Iterator[Cause]:
    kind = mutation.get("patchType", "")
    if not kind:
        yield required(f"{field}.patchType")
        return
    if kind not in _PATCH_TYPES:
        yield unsupported(f"{field}.patchType", kind, _PATCH_TYPES)
        return
    for patch_type, member in _PATCH_TYPES.items():
        given = mutation.get(member)
        if patch_type != kind and given is not None:
            detail = f"must be specified only when patchType is {patch_type}"
            yield invalid(f"{field}.{member}", "{}", detail)
        elif patch_type == kind and given is None:
            yield required(f"{field}.{member}", f"must be specified when patchType is {kind}")
        elif given is not None and not given.get("expression", "").strip():
            yield required(f"{field}.{member}.expression", "expression is not specified")


def _parameter_kind(policy: Object) -> str:
    kind = part(policy, "spec", "paramKind")
    return "<unset>" if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"


def _prepare_mutating(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")


def _columns(counted: str, member: str) -> tuple[Column, ...]:
    return (
        NAME,
        number(
            counted,
            lambda obj: len(part(obj, "spec", member) or ()),
            about=f"{counted} indicates the number of rules defined in this configuration",
        ),
        text("ParamKind", _parameter_kind, about="The kind of the policy's parameters."),
        AGE,
    )


VALIDATING_ADMISSION_POLICY = make(
    VALIDATING_ADMISSION_POLICIES,
    default=_default,
    prepare=strategies.keep_status_count_generation,
    rules=_validating_rules,
    prepare_status=strategies.only_status,
    status=True,
    categories=("api-extensions",),
    columns=_columns("Validations", "validations"),
)
MUTATING_ADMISSION_POLICY = make(
    MUTATING_ADMISSION_POLICIES,
    default=_default,
    prepare=_prepare_mutating,
    rules=_mutating_rules,
    categories=("api-extensions",),
    columns=_columns("Mutations", "mutations"),
)
