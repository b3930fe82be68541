"""Whatever a body may hold that has the types of its schema: a kind finds causes, or none.

Objects are drawn from the published schemas by seed, texts among them that rules look at
closely; nothing may escape as an exception, for it would be a 500 to the client.
"""

from random import Random
from typing import Any

import pytest

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.schema.definitions import Schema, resolve

TEXTS = (
    *("", "a", "A b", "*", "*.a.b", "/", "//", "..", "%", "1", "-1", "100%", "a.b/c", "a/b/c"),
    *("10.0.0.1", "10.0.0.0/8", "::/0", "2001:db8::1", "x/99", "1Gi", "1e9999", "True", "None"),
    *("https://[", "https://a:b", "http://a#b?c", "a:b:c", "é\n\x00", "x" * 300, "eA==", "=="),
    "-----BEGIN CERTIFICATE-----\n:\n-----END CERTIFICATE-----\n",
)
QUANTITIES = ("0", "1", "-1", "100m", "1Gi", "1e3", "999999999999999999999")
TIMES = ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00.000001Z")
NUMBERS = (0, 1, -1, 7, 443, 65536, 2**31 - 1, -(2**31))
DEEPEST = 9
ROUNDS = 25


CHOICES: dict[str, tuple[Any, ...]] = {
    "quantity": QUANTITIES,
    "integer": NUMBERS,
    "number": (0.5, -1.0),
    "boolean": (True, False),
    "int-or-string": (*NUMBERS, *TEXTS),
    "any": ({}, [], "a", 1, {"a": [1]}),
    "string": TEXTS,
}


def drawn(schema: Schema, random: Random, depth: int = 0) -> Any:
    """A value of the schema's type."""
    if schema.ref.endswith((".Time", ".MicroTime")) or schema.format == "date-time":
        return random.choice(TIMES)
    schema = resolve(schema)
    if schema.type == "object":
        return _object(schema, random, depth)
    if schema.type == "array":
        items = schema.items or Schema(type="string")
        count = random.choice((0, 1, 1, 2, 3)) if depth < DEEPEST else 0
        return [drawn(items, random, depth + 1) for _ in range(count)]
    return random.choice(CHOICES[schema.type])


def _object(schema: Schema, random: Random, depth: int) -> dict[str, Any]:
    if schema.values is not None:
        keys = random.sample(TEXTS, random.choice((0, 1, 2)))
        return {key: drawn(schema.values, random, depth + 1) for key in keys}
    return {
        name: drawn(member, random, depth + 1)
        for name, member in schema.properties.items()
        if name in schema.required or (depth < DEEPEST and random.random() < 0.6)
    }


def _tree(kind: Kind, random: Random) -> dict[str, Any]:
    tree = drawn(kind.schema, random)
    scope = {"namespace": "default"} if kind.resource.namespaced else {}
    metadata = {"name": "a", **scope, "creationTimestamp": TIMES[0], "uid": "1"}
    return {
        **tree,
        "apiVersion": kind.resource.group_version,
        "kind": kind.resource.kind,
        "metadata": {**metadata, "labels": {"a": random.choice(TEXTS)}},
    }


@pytest.mark.parametrize(
    "kind",
    [kind for kind in ALL if kind.stored],
    ids=lambda kind: f"{kind.resource.group_version} {kind.resource.kind}",
)
def test_no_object_is_too_much_for_its_kind(kind: Kind) -> None:
    for seed in range(ROUNDS):
        random = Random(seed)
        old, new = _tree(kind, random), _tree(kind, random)
        for tree, before in ((old, None), (new, old)):
            kind.default(tree)
            kind.prepare(tree, before)
            for cause in kind.causes("", tree, before):
                assert cause.reason.startswith("FieldValue"), cause
        for subresource in kind.subresources:
            if subresource.kind == kind.resource.kind and "update" in subresource.verbs:
                written = _tree(kind, random)
                kind.default(written)
                kind.strategy(subresource.name)(written, old)
                kind.causes(subresource.name, written, old)
        kind.selectable(old)
