"""The compiled schema of one version of a custom resource: all that is done with its objects.

The order is Kubernetes': what is unknown is pruned when a body is decoded, defaults are filled in
before admission, values are judged after it.
"""

from collections.abc import Callable

import msgspec

from sampan.kubernetes.kinds.kind import Cause, CustomDefinition, Object
from sampan.kubernetes.schema import structure
from sampan.kubernetes.schema.expression_rules import Check as RulesCheck
from sampan.kubernetes.schema.expression_rules import compile_rules
from sampan.kubernetes.schema.pruning import Fill, Path, Prune, compile_defaults, compile_pruner
from sampan.kubernetes.schema.structural import (
    NOTHING_SAID,
    OBJECT_META,
    Structural,
    as_definition,
    parse,
)
from sampan.kubernetes.schema.structure import Findings, WrongType
from sampan.kubernetes.schema.value_validation import Compare, compile_check


class CustomSchema(msgspec.Struct, frozen=True):
    """`default` fills in defaults, in place; None when the schema has none and allows no nulls
    to be dropped. `check` gives the causes for which a finished object is refused."""

    definition: CustomDefinition
    structural: Structural
    default: Fill | None
    check: Callable[[Object, Object | None], list[Cause]]
    has_defaults: bool


def compile_schema(raw: Object | None) -> CustomSchema:
    """Compile an openAPIV3Schema that has passed its rules; None keeps everything.

    Raises InvalidRule.
    """
    structural = NOTHING_SAID if raw is None else parse(raw)
    document = raw or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return CustomSchema(
        definition=CustomDefinition(
            check=_decoding_check(compile_pruner(structural)),
            schema=as_definition(structural),
            document=document,
        ),
        structural=structural,
        default=compile_defaults(structural),
        check=_value_check(compile_check(structural), compile_rules(structural)),
        has_defaults=_any_default(structural),
    )


def _any_default(schema: Structural) -> bool:
    return schema.has_default or any(_any_default(below) for below in schema.children)


def _decoding_check(prune: Prune) -> Callable[[Object], Findings]:
    def check(tree: Object) -> Findings:
        unknown, causes = _metadata(tree)
        dropped: list[Path] = []
        prune(tree, None, dropped)
        return Findings(unknown + [structure.render(path) for path in dropped], causes)

    return check


def _metadata(tree: Object) -> tuple[list[str], list[Cause]]:
    """Metadata has the published form whatever the schema says. Raises WrongType."""
    metadata = tree.get("metadata")
    if metadata is None:
        tree.pop("metadata", None)
        return [], []
    if type(metadata) is not dict:
        raise WrongType("json: cannot unmarshal metadata into Go value of type v1.ObjectMeta")
    found = structure.check(OBJECT_META, metadata)
    causes = [Cause(f"metadata.{it.field}", it.reason, it.message) for it in found.causes]
    return [f"metadata.{name}" for name in found.unknown], causes


def _value_check(
    judge: Compare, rules: RulesCheck | None
) -> Callable[[Object, Object | None], list[Cause]]:
    """Values first, then the rules, which expect values of the right types."""

    def check(new: Object, old: Object | None) -> list[Cause]:
        causes: list[Cause] = []
        judge(new, None if old is None else (old,), None, causes)
        return causes if rules is None else [*causes, *rules(new, old, causes)]

    return check
