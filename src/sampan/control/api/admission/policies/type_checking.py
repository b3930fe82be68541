"""Type checking of validating policies (KEP-3488): warnings for expressions that can't work.

Policies are stored untyped, for they may be about kinds that come later. What their rules name
without wildcards is known now, and each expression is compiled once more for every such kind.
"""

from collections.abc import Iterator

from sampan.control.api.admission.policies.documents import Policy, Specification
from sampan.control.api.admission.policies.environment import Environment
from sampan.kubernetes.expressions.definition_types import type_of_definition
from sampan.kubernetes.expressions.errors import InvalidExpression
from sampan.kubernetes.expressions.types import DYN, Type
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.registry import Kinds

MOST_KINDS = 10


class TypeCheck:
    """One policy against each kind that its rules name."""

    def __init__(self, policy: Policy, kinds: Kinds) -> None:
        spec = policy.spec
        parameters = _parameter_type(spec, kinds)
        self._environments = [
            (
                kind,
                Environment(spec, object_type=type_of_definition(kind.schema), params=parameters),
            )
            for kind in _kinds_of(spec, kinds)
        ]
        self.expressions = tuple(_expressions(spec))

    def warning(self, field: str, text: str) -> Object | None:
        """An entry of `expressionWarnings`, None for an expression that may work everywhere."""
        problems = [
            f"{kind.resource.group_version}, Kind={kind.resource.kind}: {problem}\n"
            for kind, environment in self._environments
            if (problem := _problem(environment, text))
        ]
        return {"fieldRef": field, "warning": "".join(problems)} if problems else None


def _expressions(spec: Specification) -> Iterator[tuple[str, str]]:
    for index, validation in enumerate(spec.validations):
        field = f"spec.validations[{index}]"
        yield f"{field}.expression", validation.expression
        if validation.message_expression:
            yield f"{field}.messageExpression", validation.message_expression


def _problem(environment: Environment, text: str) -> str:
    made = environment.compile(text).program
    return str(made) if isinstance(made, InvalidExpression) else ""


def _kinds_of(spec: Specification, kinds: Kinds) -> list[Kind]:
    """What the rules name exactly, in the order of names, at most MOST_KINDS."""
    found: dict[str, Kind] = {}
    for rule in spec.match_constraints.resource_rules:
        for group in rule.api_groups:
            for version in rule.api_versions:
                for plural in rule.resources:
                    kind = kinds.find(group, version, plural)
                    if kind is not None:
                        found[f"{kind.resource.group_version}/{kind.resource.kind}"] = kind
    return [found[name] for name in sorted(found)][:MOST_KINDS]


def _parameter_type(spec: Specification, kinds: Kinds) -> Type:
    if spec.param_kind is None:
        return DYN
    group, _, version = spec.param_kind.api_version.rpartition("/")
    kind = kinds.named(group, version, spec.param_kind.kind)
    return DYN if kind is None else type_of_definition(kind.schema)
