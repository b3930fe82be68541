"""One rule of `x-kubernetes-validations`, compiled: what it asks, and what it says when broken.

The rules and words are those of k8s.io/apiextensions-apiserver `schema/cel`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import EvaluationFailed, InvalidExpression
from sampan.kubernetes.expressions.program import Program
from sampan.kubernetes.expressions.program import compile as compile_expression
from sampan.kubernetes.expressions.selection import conversion
from sampan.kubernetes.expressions.types import BOOL, STRING, Type, accepts, optional_of
from sampan.kubernetes.expressions.values import ABSENT, Optional
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import causes, json_path
from sampan.kubernetes.schema.correlation import Old
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structure import render

_LONGEST_MESSAGE = 5 << 10


class InvalidRule(ValueError):
    """The rule can't be compiled: `field` is the part of it that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ValidationRule(msgspec.Struct, frozen=True):
    """`is_transition` tells that it asks about the value before, which it must have then, unless
    that `is_optional`."""

    text: str
    program: Program
    type_name: str
    kind: Type
    message: str = ""
    message_program: Program | None = None
    reason: str = "FieldValueInvalid"
    below: tuple[str, ...] = ()
    is_transition: bool = False
    is_optional: bool = False

    def check(self, value: Any, old: Old, path: Path, budget: Budget) -> Cause | None:
        """The cause when the value breaks the rule; `old` holds the value before, if there is
        one. Raises BudgetExceeded."""
        if self.is_transition and old is None and not self.is_optional:
            return None
        bindings = self._bindings(value, old)
        try:
            if self.program.evaluate(bindings, budget) is True:
                return None
        except EvaluationFailed as error:
            return self._cause(path, value, self._error(error))
        for key in self.below:
            path = (path, key)
        return self._cause(path, value, self._message(bindings, budget), self.reason)

    def _bindings(self, value: Any, old: Old) -> dict[str, Any]:
        convert = conversion(self.kind)
        bindings = {"self": convert(value) if convert else value}
        if self.is_transition:
            before: Any = ABSENT
            if old is not None:
                before = convert(old[0]) if convert else old[0]
                before = Optional(True, before) if self.is_optional else before
            bindings["oldSelf"] = before
        return bindings

    def _error(self, error: EvaluationFailed) -> str:
        shown = self.message or self.text
        if str(error).startswith("no such overload"):
            return (
                f"'{error}': call arguments did not match a supported operator, function or "
                f"macro signature for rule: {shown}"
            )
        return f"{error} evaluating rule: {shown}"

    def _message(self, bindings: Mapping[str, Any], budget: Budget) -> str:
        if self.message_program is not None:
            try:
                said = self.message_program.evaluate(bindings, budget)
            except EvaluationFailed:
                said = ""
            if isinstance(said, str) and said.strip() and "\n" not in said.strip():
                return said.strip()[:_LONGEST_MESSAGE]
        return self.message.strip() or f"failed rule: {self.text.strip()}"

    def _cause(
        self, path: Path, value: Any, message: str, reason: str = "FieldValueInvalid"
    ) -> Cause:
        """Scalars are shown, objects and lists are not."""
        field = render(path) or "<nil>"
        if reason == "FieldValueForbidden":
            return causes.forbidden(field, message)
        if reason == "FieldValueRequired":
            return causes.required(field, message)
        has_parts = isinstance(value, (dict, list))
        if reason == "FieldValueDuplicate":
            return (
                Cause(field, reason, "Duplicate value")
                if has_parts
                else causes.duplicate(field, value)
            )
        if has_parts:
            return Cause(field, reason, f"Invalid value: {message}")
        return causes.invalid(field, value, message)


def compile_rule(rule: Object, type_name: str, kind: Type) -> ValidationRule:
    """A rule about values of a schema's type. Raises InvalidRule."""
    text, is_optional = rule.get("rule") or "", rule.get("optionalOldSelf") is True
    if not text.strip():
        raise InvalidRule("rule", "rule is not specified")
    variables = {"self": kind}
    with_old = {**variables, "oldSelf": optional_of(kind) if is_optional else kind}
    is_transition = False
    try:
        program = compile_expression(text, variables=variables)
    except InvalidExpression as error:
        if "oldSelf" not in text:
            raise InvalidRule("rule", f"compilation failed: {error}") from error
        is_transition = True
        program = _compiled(text, with_old, "rule")
    if not accepts(BOOL, program.type):
        raise InvalidRule("rule", "must evaluate to a bool")
    said = rule.get("messageExpression") or ""
    message_program = None
    if said:
        message_program = _compiled(
            said, with_old if is_transition else variables, "messageExpression"
        )
        if not accepts(STRING, message_program.type):
            raise InvalidRule("messageExpression", "must evaluate to a string")
    return ValidationRule(
        text=text,
        program=program,
        type_name=type_name,
        kind=kind,
        message=rule.get("message") or "",
        message_program=message_program,
        reason=rule.get("reason") or "FieldValueInvalid",
        below=_below(rule.get("fieldPath") or ""),
        is_transition=is_transition,
        is_optional=is_optional,
    )


def _compiled(text: str, variables: Mapping[str, Type], field: str) -> Program:
    try:
        return compile_expression(text, variables=variables)
    except InvalidExpression as error:
        raise InvalidRule(field, f"compilation failed: {error}") from error


def _below(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        keys = json_path.parse(text).keys
    except json_path.InvalidPath as error:
        raise InvalidRule("fieldPath", f"fieldPath must be a valid path: {error}") from error
    if keys is None:
        raise InvalidRule("fieldPath", "fieldPath must be a valid path: only members are supported")
    return keys
