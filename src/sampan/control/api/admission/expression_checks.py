"""Expressions in webhook configurations and policies are compiled before they are stored.

What they must give is checked too, in upstream's words (apis/admissionregistration/validation).
Expressions that did not change are let be, so that what was stored once can still be written.
"""

from collections.abc import Iterator

import msgspec

from sampan.control.api.admission.matching.conditions import MatchCondition
from sampan.control.api.admission.matching.variables import CONDITION_VARIABLES
from sampan.control.api.admission.policies.documents import Mutation, Policy
from sampan.control.api.admission.policies.environment import (
    APPLY_CONFIGURATION,
    JSON_PATCHES,
    Compiled,
    Environment,
)
from sampan.control.api.admission.write import Write
from sampan.control.api.refusal import Refused
from sampan.kubernetes.expressions import program
from sampan.kubernetes.expressions.budget import take_time
from sampan.kubernetes.expressions.errors import InvalidExpression
from sampan.kubernetes.expressions.patience import patiently
from sampan.kubernetes.expressions.types import BOOL, NULL, STRING, Type
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.resource import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import invalid

_POLICIES = (MUTATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICIES)
_CONFIGURATIONS = (MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS)


class ExpressionChecks:
    """The verdict on the expressions of policies and webhook configurations."""

    def concerns(self, write: Write) -> bool:
        resource, new = write.kind.resource, write.new
        if new is None or write.subresource or resource not in (*_POLICIES, *_CONFIGURATIONS):
            return False
        before = None if write.old is None else _specification(write.old)
        return _specification(new) != before

    async def judge(self, write: Write) -> None:
        """Raises Refused (422)."""
        resource = write.kind.resource
        causes = await patiently(_causes, resource in _POLICIES, write.object)
        if causes:
            name = write.object_name
            raise Refused(status.invalid(resource.group, resource.kind, name, causes))


def _causes(is_policy: bool, tree: Object) -> list[Cause]:
    # Many short expressions take as long as a long one.
    take_time(len(msgspec.json.encode(_specification(tree))))
    return list(_policy_causes(tree) if is_policy else _webhook_causes(tree))


def _specification(tree: Object) -> object:
    return tree.get("spec"), tree.get("webhooks")


def _webhook_causes(configuration: Object) -> Iterator[Cause]:
    for index, webhook in enumerate(configuration.get("webhooks") or ()):
        conditions = msgspec.convert(
            webhook.get("matchConditions") or [], tuple[MatchCondition, ...]
        )
        for position, condition in enumerate(conditions):
            field = f"webhooks[{index}].matchConditions[{position}].expression"
            try:
                made: program.Program | InvalidExpression
                made = program.compile(condition.expression, variables=CONDITION_VARIABLES)
            except InvalidExpression as error:
                made = error
            yield from _checked(Compiled(condition.expression, made), field, BOOL)


def _policy_causes(tree: Object) -> Iterator[Cause]:
    spec = msgspec.convert(tree, Policy).spec
    environment = Environment(spec)
    for index, (_, variable) in enumerate(environment.variables.items()):
        yield from _checked(variable, f"spec.variables[{index}].expression")
    for index, condition in enumerate(spec.match_conditions):
        field = f"spec.matchConditions[{index}].expression"
        compiled = environment.compile_condition(condition.expression)
        yield from _checked(compiled, field, BOOL)
    for index, validation in enumerate(spec.validations):
        field = f"spec.validations[{index}]"
        compiled = environment.compile(validation.expression)
        yield from _checked(compiled, f"{field}.expression", BOOL)
        if validation.message_expression:
            compiled = environment.compile(validation.message_expression)
            yield from _checked(compiled, f"{field}.messageExpression", STRING)
    for index, annotation in enumerate(spec.audit_annotations):
        field = f"spec.auditAnnotations[{index}].valueExpression"
        compiled = environment.compile(annotation.value_expression)
        yield from _checked(compiled, field, STRING, NULL)
    for index, mutation in enumerate(spec.mutations):
        yield from _mutation_causes(mutation, environment, f"spec.mutations[{index}]")


def _mutation_causes(mutation: Mutation, environment: Environment, field: str) -> Iterator[Cause]:
    compiled = environment.compile(mutation.expression)
    if mutation.patch_type == "JSONPatch":
        yield from _checked(compiled, f"{field}.jsonPatch.expression", JSON_PATCHES)
    else:
        path = f"{field}.applyConfiguration.expression"
        yield from _checked(compiled, path, APPLY_CONFIGURATION)


def _checked(compiled: Compiled, field: str, *wanted: Type) -> Iterator[Cause]:
    made = compiled.program
    if isinstance(made, InvalidExpression):
        yield invalid(field, compiled.text, f"compilation failed: {made}")
    elif wanted and not any(_gives(made.type, it) for it in wanted):
        shown = str(wanted[0]) if len(wanted) == 1 else f"one of [{' '.join(map(str, wanted))}]"
        yield invalid(field, compiled.text, f"must evaluate to {shown}")


def _gives(given: Type, wanted: Type) -> bool:
    """Exactly that type; an empty list is one of any elements."""
    if given.name != wanted.name or len(given.parameters) != len(wanted.parameters):
        return False
    pairs = zip(given.parameters, wanted.parameters, strict=True)
    return all(one.name == "dyn" or _gives(one, other) for one, other in pairs)
