"""MutatingAdmissionPolicy (KEP-3962): configurations that are merged in, or JSON patches."""

from typing import Any

import msgspec

from sampan.control.api.admission.matching.conditions import Conditions
from sampan.control.api.admission.matching.versions import in_version
from sampan.control.api.admission.policies.configuration import configured
from sampan.control.api.admission.policies.documents import Mutation, Policy
from sampan.control.api.admission.policies.environment import Compiled, Environment
from sampan.control.api.admission.policies.evaluation import (
    Evaluation,
    Evaluations,
    Failure,
    Surroundings,
)
from sampan.control.api.admission.policies.index import Bound, Entry, PolicyIndex
from sampan.control.api.admission.policies.json_values import plain
from sampan.control.api.admission.replacing import Unfit, replace_object
from sampan.control.api.admission.write import Reinvocation, Write
from sampan.control.api.refusal import Refused
from sampan.kubernetes.expressions.errors import (
    BudgetExceeded,
    EvaluationFailed,
    InvalidExpression,
)
from sampan.kubernetes.expressions.patience import evaluated
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
)
from sampan.kubernetes.machinery import patches, status
from sampan.kubernetes.machinery.field_change import InvalidItems

_encode = msgspec.json.Encoder().encode
_FAILURES = (
    EvaluationFailed,
    BudgetExceeded,
    InvalidExpression,
    patches.InvalidPatch,
    patches.PatchTooLarge,
    patches.PatchRefused,
    InvalidItems,
    Unfit,
)


class CompiledPolicy:
    """The expressions of one policy."""

    def __init__(self, policy: Policy) -> None:
        spec = policy.spec
        self.environment = Environment(spec)
        self.conditions = Conditions(spec.match_conditions, self.environment.conditions)
        self.mutations = tuple(
            (it, self.environment.compile(it.expression)) for it in spec.mutations
        )


class MutatingPolicies:
    """Changes objects by every policy that is bound, one after another."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._index = PolicyIndex(
            surroundings.cache,
            surroundings.kinds,
            MUTATING_ADMISSION_POLICIES,
            MUTATING_ADMISSION_POLICY_BINDINGS,
            CompiledPolicy,
        )

    def concerns(self, write: Write) -> bool:
        # What is deleted can't be changed; bodies of subresources have no schema of their kind.
        changes = write.operation in ("CREATE", "UPDATE") and write.form is None
        return changes and bool(self._index.matching(write))

    async def mutate(self, write: Write, reinvocation: Reinvocation) -> None:
        """Raises Refused."""
        for entry in self._index.matching(write):
            key = f"policy/{entry.name}"
            if not reinvocation.is_due(key):
                continue
            if await self._apply(entry, write):
                reinvocation.object_changed()
            if entry.policy.spec.reinvocation_policy == "IfNeeded":
                reinvocation.has_seen(key)

    async def _apply(self, entry: Entry[CompiledPolicy], write: Write) -> bool:
        """Whether the object is another afterwards."""
        compiled = entry.compiled()
        evaluations = Evaluations(entry, compiled.environment, compiled.conditions, self._around)
        before = _encode(write.new)
        async for it in evaluations.of(write):
            if isinstance(it, Failure):
                _failed(entry, it.bound, write, it.message)
                continue
            for mutation, expression in compiled.mutations:
                try:
                    await _mutate(mutation, expression, it, write)
                except _FAILURES as error:
                    _failed(entry, it.bound, write, str(error))
                    break
        return _encode(write.new) != before


async def _mutate(
    mutation: Mutation, expression: Compiled, evaluation: Evaluation, write: Write
) -> None:
    """Raises what is in _FAILURES."""
    target = evaluation.target
    current = await _current(write, target)
    evaluation.bindings["object"] = current
    program = expression.required()
    value = plain(await evaluated(program, evaluation.bindings, evaluation.budget))
    # The value may share parts with the object, which is changed later.
    own: Any = msgspec.json.decode(_encode(value))
    if mutation.patch_type == "JSONPatch":
        if not isinstance(own, list):
            raise EvaluationFailed(
                "type mismatch: JSONPatchType.expression should evaluate to array"
            )
        made = patches.json_patch(current, own)
    else:
        made = configured(target, current, own)
    await replace_object(write, target, made)


async def _current(write: Write, target: Kind) -> Object:
    """A copy of the object as it is now, in the target's version."""
    tree = await in_version(write.new, write.kind, target)
    copy: Object = msgspec.json.decode(_encode(tree))
    return copy


def _failed(entry: Entry[CompiledPolicy], bound: Bound, write: Write, message: str) -> None:
    """Raises Refused (422) unless failures of the policy are ignored."""
    if entry.policy.spec.failure_policy == "Ignore":
        return
    text = f"policy '{entry.name}' with binding '{bound.name}' denied request: {message}"
    refusal = status.forbidden(write.kind.resource, write.object_name, text)
    refusal["reason"], refusal["code"] = "Invalid", 422
    refusal.setdefault("details", {}).setdefault("causes", []).append({"message": text})
    raise Refused(refusal)
