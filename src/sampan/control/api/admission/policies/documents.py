"""Policies and their bindings as they are written down; only what is read of them."""

from typing import Literal

import msgspec

from sampan.control.api.admission.matching.conditions import MatchCondition
from sampan.control.api.admission.matching.rules import Rule
from sampan.kubernetes.kinds.kind import Object


class Matched(msgspec.Struct, frozen=True, rename="camel"):
    """MatchResources: what a policy or a binding is for."""

    resource_rules: tuple[Rule, ...] = ()
    exclude_resource_rules: tuple[Rule, ...] = ()
    namespace_selector: Object | None = None
    object_selector: Object | None = None
    match_policy: str = "Equivalent"


class ParameterKind(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str


class Variable(msgspec.Struct, frozen=True):
    name: str
    expression: str


class Validation(msgspec.Struct, frozen=True, rename="camel"):
    expression: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""


class AuditAnnotation(msgspec.Struct, frozen=True, rename="camel"):
    key: str
    value_expression: str


class Expression(msgspec.Struct, frozen=True):
    expression: str


class Mutation(msgspec.Struct, frozen=True, rename="camel"):
    patch_type: Literal["ApplyConfiguration", "JSONPatch"]
    apply_configuration: Expression | None = None
    json_patch: Expression | None = None

    @property
    def expression(self) -> str:
        chosen = self.apply_configuration or self.json_patch
        return chosen.expression if chosen is not None else ""


class Specification(msgspec.Struct, frozen=True, rename="camel"):
    """What both sorts of policies say; each leaves out what the other has."""

    match_constraints: Matched = Matched()
    match_conditions: tuple[MatchCondition, ...] = ()
    param_kind: ParameterKind | None = None
    failure_policy: str = "Fail"
    variables: tuple[Variable, ...] = ()
    validations: tuple[Validation, ...] = ()
    audit_annotations: tuple[AuditAnnotation, ...] = ()
    mutations: tuple[Mutation, ...] = ()
    reinvocation_policy: str = "Never"


class Metadata(msgspec.Struct, frozen=True):
    name: str


class Policy(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: Specification


class ParameterReference(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    selector: Object | None = None
    parameter_not_found_action: str = "Deny"


class BindingSpecification(msgspec.Struct, frozen=True, rename="camel"):
    policy_name: str
    param_ref: ParameterReference | None = None
    match_resources: Matched | None = None
    validation_actions: tuple[str, ...] = ()


class Binding(msgspec.Struct, frozen=True):
    metadata: Metadata
    spec: BindingSpecification


decode_policy = msgspec.json.Decoder(Policy).decode
decode_binding = msgspec.json.Decoder(Binding).decode
