"""The expressions of policies: what they may name, what they must give, their lazy variables."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sampan.control.api.admission.matching.variables import POLICY_VARIABLES
from sampan.control.api.admission.policies.documents import Specification
from sampan.kubernetes.expressions import program
from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import EvaluationFailed, InvalidExpression
from sampan.kubernetes.expressions.program import Program
from sampan.kubernetes.expressions.types import DYN, STRING, Type, list_of, object_of
from sampan.kubernetes.expressions.values import Fields

APPLY_CONFIGURATION = Type("Object")
JSON_PATCH = object_of(
    {
        "op": ("op", STRING),
        "path": ("path", STRING),
        "from": ("from", STRING),
        "value": ("value", DYN),
    },
    name="JSONPatch",
)
STRUCTURES: Mapping[str, Type] = {
    "Object": APPLY_CONFIGURATION,
    "Object.*": DYN,
    "JSONPatch": JSON_PATCH,
}
JSON_PATCHES = list_of(JSON_PATCH)


class Compiled(msgspec.Struct, frozen=True):
    """An expression as it was written, and its program or what is wrong with it."""

    text: str
    program: Program | InvalidExpression

    def required(self) -> Program:
        """Raises InvalidExpression."""
        if isinstance(self.program, InvalidExpression):
            raise self.program
        return self.program


class Environment:
    """What the expressions of one policy may name. Objects are of any type unless told."""

    def __init__(self, spec: Specification, *, object_type: Type = DYN, params: Type = DYN) -> None:
        given = {**POLICY_VARIABLES, "object": object_type, "oldObject": object_type}
        if spec.param_kind is not None:
            given["params"] = params
        self.conditions: Mapping[str, Type] = dict(given)
        known: dict[str, tuple[str, Type]] = {}
        self.variables: dict[str, Compiled] = {}
        for variable in spec.variables:
            # A variable may use those before it.
            scope = {**given, "variables": object_of(dict(known))}
            compiled = _compiled(variable.expression, scope)
            self.variables[variable.name] = compiled
            kind = compiled.program.type if isinstance(compiled.program, Program) else DYN
            known[variable.name] = (variable.name, kind)
        self._scope: Mapping[str, Type] = {**given, "variables": object_of(known)}

    def compile(self, text: str) -> Compiled:
        return _compiled(text, self._scope)

    def compile_condition(self, text: str) -> Compiled:
        """Match conditions come before the policy's variables."""
        return _compiled(text, self.conditions)


def _compiled(text: str, scope: Mapping[str, Type]) -> Compiled:
    try:
        made: Program | InvalidExpression
        made = program.compile(text, variables=scope, structures=STRUCTURES)
    except InvalidExpression as error:
        made = error
    return Compiled(text, made)


class LazyVariables(Fields):
    """`variables`: each is worked out when it is first asked for, and then remembered."""

    __slots__ = ("_bindings", "_found", "_programs")
    type_name = "variables"

    def __init__(self, programs: Mapping[str, Compiled], bindings: Mapping[str, Any]) -> None:
        self._programs = programs
        self._bindings = {**bindings, "variables": self}
        self._found: dict[str, Any] = {}

    def field(self, name: str, budget: Budget) -> Any:
        """Raises EvaluationFailed, BudgetExceeded."""
        if name not in self._found:
            compiled = self._programs.get(name)
            if compiled is None:
                raise EvaluationFailed(f"no such key: {name}")
            try:
                self._found[name] = compiled.required().evaluate(self._bindings, budget)
            except InvalidExpression as error:
                raise EvaluationFailed(f"composited variable {name!r} fails: {error}") from error
            except EvaluationFailed as error:
                raise EvaluationFailed(f"composited variable {name!r} fails: {error}") from error
        return self._found[name]

    def has_field(self, name: str) -> bool:
        return name in self._programs
