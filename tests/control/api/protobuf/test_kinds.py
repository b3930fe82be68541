"""Every built-in kind, filled as its schema says, is the same before and after protobuf."""

import pytest

from sampan.control.api.protobuf import decoding, encoding
from sampan.control.api.protobuf.messages import message_name
from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.schema import definitions

DEEPEST = 14
TEXTS = {
    "date-time": "2026-01-02T03:04:05Z",
    "micro-time": "2026-01-02T03:04:05.000006Z",
    "byte": "AP8=",
}
TYPES = {"integer": 7, "number": 1.5, "boolean": True, "quantity": "100m", "int-or-string": "80%"}


def filled(schema, depth=0, within=()):
    """A value with every property; a definition within itself is left out (None)."""
    if schema.ref:
        return _referred(schema.ref, depth, within)
    if schema.type in TYPES or schema.type == "string":
        return TYPES.get(schema.type) or TEXTS.get(schema.format, "text")
    if depth > DEEPEST:
        return None
    if schema.type == "array":
        item = filled(schema.items, depth + 1, within)
        return None if item is None else [item]
    members = schema.properties.items()
    if schema.values is not None:
        members = (("a", schema.values), ("b", schema.values))
    values = {name: filled(member, depth + 1, within) for name, member in members}
    known = {name: value for name, value in values.items() if value is not None}
    # Protobuf does not tell an empty map from none.
    return None if schema.values is not None and not known else known


def _referred(name, depth, within):
    if name in within:
        return None
    if name.endswith("RawExtension"):
        return {"any": ["thing"]}
    tree = filled(definitions.definition(name), depth, (*within, name))
    if name.endswith(".PersistentVolumeClaim") and within:
        # In protobuf an object within another does not tell its kind.
        del tree["apiVersion"], tree["kind"]
    return tree


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.resource))
def test_a_filled_object_is_the_same_in_protobuf(kind):
    resource = kind.resource
    tree = filled(definitions.definition(kind.definition))
    tree["apiVersion"], tree["kind"] = resource.group_version, resource.kind
    told = decoding.decode(encoding.encode(tree), "", "")
    assert told == tree


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: str(kind.resource))
def test_each_kind_and_what_its_subresources_take_have_messages(kind):
    assert message_name(kind.resource.group_version, kind.resource.kind)
    for subresource in kind.subresources:
        if not subresource.kind.endswith("Options"):
            assert message_name(subresource.group_version, subresource.kind)
