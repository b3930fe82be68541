"""Any object that holds to its kind's schema is judged without a failure: rules give causes,
strategies and columns stand whatever the object holds."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.schema import structure
from sampan.kubernetes.schema.definitions import Schema, definition, resolve

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
STORED = [kind for kind in ALL if kind.stored]
ROUNDS = 100
DEEPEST = 12
WORDS = (
    *("", "a", "A", "None", "-", "..", "/", "../a", "/a/b", "a/b/c", "a.b/c", "web", "Always"),
    *("Never", "In", "NotIn", "Exists", "Indexed", "ClientIP", "LoadBalancer", "NodePort"),
    *("ExternalName", "RollingUpdate", "OnDelete", "Container", "Pod", "Localhost", "Resource"),
    *("10.0.0.1", "10.0.0.0/8", "::1", "::ffff:1.2.3.4", "300.1.1.1", "0/0", "* * * * *", "@every"),
    *("metadata.name", "metadata.labels['x']", "limits.cpu", "Utilization", "windows", "linux"),
    *("TZ=UTC 0 0 * * *", "1-", "1,3-5", "x" * 300, "ü", "\u2028", "kubernetes.io/tls"),
)
NUMBERS = (0, 1, -1, 2, 80, 65535, 65536, 10250, 100001, 2**31 - 1)
QUANTITIES = ("0", "1", "-1", "100m", "1Gi", "1e3", "1.5")
SHARES = (0, 1, -1, "0%", "25%", "101%", "x", "-1%", "")


def _any(schema: Schema, random: Random, depth: int) -> Any:
    """A value that a client could send for a schema."""
    schema = resolve(schema)
    if schema.type == "object":
        return _any_object(schema, random, depth)
    if schema.type == "array":
        if schema.items is None or depth > DEEPEST:
            return []
        return [_any(schema.items, random, depth + 1) for _ in range(random.choice((0, 1, 1, 2)))]
    return _any_leaf(schema, random)


def _any_object(schema: Schema, random: Random, depth: int) -> Any:
    if schema.values is not None:
        keys = random.sample(WORDS, random.choice((0, 1, 2)))
        return {key: _any(schema.values, random, depth + 1) for key in keys}
    density = 0.35 if depth > 2 else 0.8
    return {
        name: _any(member, random, depth + 1)
        for name, member in schema.properties.items()
        if depth <= DEEPEST and (name in schema.required or random.random() < density)
    }


def _any_leaf(schema: Schema, random: Random) -> Any:
    if schema.type == "string":
        if schema.format in ("date-time", "micro-time"):
            return "2026-01-01T00:00:00Z"
        return "e30=" if schema.format == "byte" else random.choice(WORDS)
    return {
        "integer": lambda: random.choice(NUMBERS),
        "number": lambda: random.choice(NUMBERS),
        "boolean": lambda: random.random() < 0.5,
        "quantity": lambda: random.choice(QUANTITIES),
        "int-or-string": lambda: random.choice(SHARES),
        "any": lambda: random.choice((None, 1, "a", [], {})),
    }[schema.type]()


def _object(kind: Kind, random: Random) -> dict[str, Any]:
    tree: dict[str, Any] = _any(definition(kind.definition), random, 0)
    tree |= {"apiVersion": kind.resource.group_version, "kind": kind.resource.kind}
    tree["metadata"] = {**tree.get("metadata", {}), "name": "a", "namespace": "b", "uid": "c"}
    structure.check(kind.definition, tree)
    return tree


@pytest.mark.parametrize(
    "kind", STORED, ids=lambda kind: f"{kind.resource.group_version}/{kind.resource.kind}"
)
def test_any_object_is_judged(kind: Kind) -> None:
    random = Random(1)
    earlier: dict[str, Any] | None = None
    for _ in range(ROUNDS):
        tree = _object(kind, random)
        status = tree.get("status")
        kind.default(tree)
        once = repr(tree)
        kind.default(tree)
        assert repr(tree) == once
        kind.strategy("")(tree, earlier)
        for cause in kind.causes("", tree, earlier):
            assert cause.reason.startswith("FieldValue")
        for entry in kind.subresources:
            if entry.prepare is not None and earlier is not None:
                changed = _object(kind, random)
                kind.default(changed)
                entry.prepare(changed, earlier)
                kind.causes(entry.name, changed, earlier)
        shown = {**tree, "status": status} if status is not None else tree
        for column in kind.columns:
            column.cell(shown, NOW)
        kind.selectable(shown)
        earlier = tree
