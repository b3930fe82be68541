"""The compiled schema of one version of a custom resource: all that is done with its objects.

The order is Kubernetes': what is unknown is pruned when a body is decoded, defaults are filled in
before admission, values are judged after it.
"""

from collections.abc import Callable

import msgspec

from sampan.kubernetes.kinds.kind import Cause, CustomDefinition, Object
from sampan.kubernetes.schema import structure
from sampan.kubernetes.schema.embedded import (
    Find,
    check_metadata_form,
    check_type,
    compile_finder,
)
from sampan.kubernetes.schema.expression_rules import Check as RulesCheck
from sampan.kubernetes.schema.expression_rules import compile_rules
from sampan.kubernetes.schema.pruning import Fill, Path, Prune, compile_defaults, compile_pruner
from sampan.kubernetes.schema.structural import (
    NOTHING_SAID,
    Structural,
    as_definition,
    parse,
)
from sampan.kubernetes.schema.structure import Findings
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
    embedded = compile_finder(structural)
    document = raw or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return CustomSchema(
        definition=CustomDefinition(
            check=_decoding_check(compile_pruner(structural), embedded),
            schema=as_definition(structural),
            document=document,
        ),
        structural=structural,
        default=compile_defaults(structural),
        check=_value_check(compile_check(structural), compile_rules(structural), embedded),
        has_defaults=_any_default(structural),
    )


def _any_default(schema: Structural) -> bool:
    return schema.has_default or any(_any_default(below) for below in schema.children)


def _decoding_check(prune: Prune, embedded: Find | None) -> Callable[[Object], Findings]:
    def check(tree: Object) -> Findings:
        met = check_metadata_form(tree, None)
        findings = Findings(met.unknown, met.causes)
        dropped: list[Path] = []
        prune(tree, None, dropped)
        findings.unknown += [structure.render(path) for path in dropped]
        for below, path in embedded(tree, None) if embedded is not None else ():
            met = check_metadata_form(below, path)
            findings.unknown += met.unknown
            findings.causes += met.causes
        return findings

    return check


def _value_check(
    judge: Compare, rules: RulesCheck | None, embedded: Find | None
) -> Callable[[Object, Object | None], list[Cause]]:
    """Values first, then the rules, which expect values of the right types."""

    def check(new: Object, old: Object | None) -> list[Cause]:
        causes: list[Cause] = []
        for below, path in embedded(new, None) if embedded is not None else ():
            causes += check_type(below, path)
        judge(new, None if old is None else (old,), None, causes)
        return causes if rules is None else [*causes, *rules(new, old, causes)]

    return check
