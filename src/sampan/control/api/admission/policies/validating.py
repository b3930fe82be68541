"""ValidatingAdmissionPolicy (KEP-3488): validations that must hold, and what is done if not.

The texts and the order of decisions are those of k8s.io/apiserver
`admission/plugin/policy/validating`.
"""

import msgspec

from sampan.control.api.admission.matching.conditions import Conditions
from sampan.control.api.admission.policies.documents import Policy, Validation
from sampan.control.api.admission.policies.environment import Compiled, Environment
from sampan.control.api.admission.policies.evaluation import (
    Evaluation,
    Evaluations,
    Failure,
    Surroundings,
)
from sampan.control.api.admission.policies.index import Bound, Entry, PolicyIndex
from sampan.control.api.admission.write import Write
from sampan.control.api.refusal import Refused
from sampan.kubernetes.expressions.errors import (
    BudgetExceeded,
    EvaluationFailed,
    InvalidExpression,
)
from sampan.kubernetes.expressions.patience import evaluated
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from sampan.kubernetes.machinery import status

_FAILURE_KEY = "validation.policy.admission.k8s.io/validation_failure"
_LONGEST_MESSAGE = 5 * 1024
_LONGEST_ANNOTATION = 10 * 1024
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_FAILURES = (EvaluationFailed, BudgetExceeded, InvalidExpression)


class Decision(msgspec.Struct, frozen=True):
    """Why one validation says no, and at which place in its policy it stands."""

    bound: Bound
    message: str
    reason: str
    index: int


class CompiledValidation(msgspec.Struct, frozen=True):
    given: Validation
    rule: Compiled
    message: Compiled | None


class CompiledPolicy:
    """The expressions of one policy."""

    def __init__(self, policy: Policy) -> None:
        spec = policy.spec
        self.environment = Environment(spec)
        self.conditions = Conditions(spec.match_conditions, self.environment.conditions)
        compile_text = self.environment.compile
        self.validations = tuple(
            CompiledValidation(
                it,
                compile_text(it.expression),
                compile_text(it.message_expression) if it.message_expression else None,
            )
            for it in spec.validations
        )
        self.annotations = tuple(
            (it.key, compile_text(it.value_expression)) for it in spec.audit_annotations
        )


class ValidatingPolicies:
    """Judges writes by every policy that is bound."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._index = PolicyIndex(
            surroundings.cache,
            surroundings.kinds,
            VALIDATING_ADMISSION_POLICIES,
            VALIDATING_ADMISSION_POLICY_BINDINGS,
            CompiledPolicy,
        )

    def concerns(self, write: Write) -> bool:
        return bool(self._index.matching(write))

    async def judge(self, write: Write) -> None:
        """Raises Refused: the first denial, once all policies have had their say."""
        denied: list[tuple[Entry[CompiledPolicy], Decision]] = []
        failures: list[Object] = []
        for entry in self._index.matching(write):
            for decision in await _decisions(entry, write, self._around):
                actions = decision.bound.binding.spec.validation_actions
                if "Deny" in actions:
                    denied.append((entry, decision))
                if "Audit" in actions:
                    failures.append(_audited(entry, decision))
                if "Warn" in actions:
                    write.warnings.append(
                        f"Validation failed for ValidatingAdmissionPolicy '{entry.name}' with "
                        f"binding '{decision.bound.name}': {decision.message}"
                    )
        if failures:
            write.annotations[_FAILURE_KEY] = msgspec.json.encode(failures).decode()
        if denied:
            raise Refused(_denial(write, *denied[0]))


async def _decisions(
    entry: Entry[CompiledPolicy], write: Write, around: Surroundings
) -> list[Decision]:
    compiled = entry.compiled()
    fails = entry.policy.spec.failure_policy != "Ignore"
    evaluations = Evaluations(entry, compiled.environment, compiled.conditions, around)
    found: list[Decision] = []
    async for it in evaluations.of(write):
        if isinstance(it, Failure):
            if fails:
                found.append(Decision(it.bound, it.message, "", 0))
            continue
        for index, validation in enumerate(compiled.validations):
            decision = await _decision(index, validation, it, fails=fails)
            if decision is not None:
                found.append(decision)
        found += await _annotated(entry, write, it, fails=fails)
    return found


async def _decision(
    index: int, validation: CompiledValidation, evaluation: Evaluation, *, fails: bool
) -> Decision | None:
    """Why the validation says no; None when it holds, or failed and that is ignored."""
    bound = evaluation.bound
    try:
        program = validation.rule.required()
        value = await evaluated(program, evaluation.bindings, evaluation.budget)
    except _FAILURES as error:
        if not fails:
            return None
        text = f"expression '{validation.given.expression}' resulted in error: {error}"
        return Decision(bound, text, "Invalid", index)
    if value is True:
        return None
    message = await _message(validation, evaluation)
    return Decision(bound, message, validation.given.reason or "Invalid", index)


async def _message(validation: CompiledValidation, evaluation: Evaluation) -> str:
    """The computed message where there is a proper one, else the one that is written down."""
    if validation.message is not None:
        try:
            program = validation.message.required()
            value = await evaluated(program, evaluation.bindings, evaluation.budget)
        except _FAILURES:
            # As upstream: a message that can't be computed is no reason to fail otherwise.
            value = ""
        if isinstance(value, str) and _is_proper(value.strip()):
            return value.strip()
    written = validation.given.message.strip()
    return written or f"failed expression: {validation.given.expression.strip()}"


def _is_proper(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text) <= _LONGEST_MESSAGE


async def _annotated(
    entry: Entry[CompiledPolicy], write: Write, evaluation: Evaluation, *, fails: bool
) -> list[Decision]:
    """Writes the policy's audit annotations; each that fails is a decision."""
    found: list[Decision] = []
    for key, compiled in entry.compiled().annotations:
        try:
            program = compiled.required()
            value = await evaluated(program, evaluation.bindings, evaluation.budget)
            if value is not None and not isinstance(value, str):
                raise EvaluationFailed("valueExpression must evaluate to a string or null")
        except _FAILURES as error:
            if fails:
                text = f"valueExpression '{compiled.text}' resulted in error: {error}"
                found.append(Decision(evaluation.bound, text, "Invalid", 0))
            continue
        text = (value or "").strip()[:_LONGEST_ANNOTATION]
        if text:
            name = f"{entry.name}/{key}"
            before = write.annotations.get(name)
            if before is None:
                write.annotations[name] = text
            elif text not in before.split(", "):
                write.annotations[name] = f"{before}, {text}"
    return found


def _audited(entry: Entry[CompiledPolicy], decision: Decision) -> Object:
    return {
        "message": decision.message,
        "policy": entry.name,
        "binding": decision.bound.name,
        "expressionIndex": decision.index,
        "validationActions": list(decision.bound.binding.spec.validation_actions),
    }


def _denial(write: Write, entry: Entry[CompiledPolicy], decision: Decision) -> Object:
    message = (
        f"ValidatingAdmissionPolicy '{entry.name}' with binding '{decision.bound.name}' "
        f"denied request: {decision.message}"
    )
    refusal = status.forbidden(write.kind.resource, write.object_name, message)
    refusal["reason"] = decision.reason or "Invalid"
    refusal["code"] = _CODES.get(refusal["reason"], 422)
    refusal.setdefault("details", {}).setdefault("causes", []).append({"message": message})
    return refusal
