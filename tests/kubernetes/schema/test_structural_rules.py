"""Which schemas of custom resources are refused, and in which words."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.kubernetes.schema.custom_schema import compile_schema
from sampan.kubernetes.schema.structural_rules import check_schema
from sampan.kubernetes.schema.structure import WrongType

TEXT = {"type": "string"}


def root(**spec: Any) -> dict[str, Any]:
    """A schema whose only property is `spec`."""
    return {"type": "object", "properties": {"spec": spec}}


def found(schema: Any) -> dict[str, str]:
    return {cause.field: cause.message for cause in check_schema(schema, "s")}


def test_a_structural_schema_passes() -> None:
    schema = root(
        type="object",
        properties={
            "name": {"type": "string", "pattern": "^a+$", "default": "a"},
            "port": {"x-kubernetes-int-or-string": True},
            "any": {"x-kubernetes-preserve-unknown-fields": True},
            "list": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "required": ["k"], "properties": {"k": TEXT}},
            },
            "labels": {"type": "object", "additionalProperties": TEXT},
        },
        oneOf=[{"required": ["name"]}, {"required": ["port"]}],
    )
    assert found(schema) == {}


@pytest.mark.parametrize(
    ("schema", "field", "message"),
    [
        ({}, "s.type", "Required value: must not be empty at the root"),
        ({"type": "array", "items": TEXT}, "s.type", 'Invalid value: "array": must be object'),
        (root(), "s.properties[spec].type", "must not be empty for specified object fields"),
        (root(type="array"), "s.properties[spec].items", "Required value: must be specified"),
        (
            root(type="array", items={}),
            "s.properties[spec].items.type",
            "must not be empty for specified array items",
        ),
        (root(type="text"), "s.properties[spec].type", "Unsupported value"),
        (
            root(type="array", items=TEXT, uniqueItems=True),
            "s.properties[spec].uniqueItems",
            "uniqueItems cannot be set to true",
        ),
        (
            root(type="object", additionalProperties=False),
            "s.properties[spec].additionalProperties",
            "additionalProperties cannot be set to false",
        ),
        (
            root(type="object", additionalProperties=TEXT, properties={"a": TEXT}),
            "s.properties[spec].additionalProperties",
            "additionalProperties and properties are mutual exclusive",
        ),
        (root(type="string", **{"$ref": "#/x"}), "s.properties[spec].$ref", "is not supported"),
        (
            root(type="string", anyOf=[{"type": "string"}]),
            "s.properties[spec].anyOf[0].type",
            "Forbidden: must be empty to be structural",
        ),
        (
            root(type="object", allOf=[{"properties": {"a": {"minimum": 1}}}]),
            "s.properties[spec].properties[a]",
            "because it is defined in s.properties[spec].allOf[0].properties[a]",
        ),
        (
            {"type": "object", "properties": {"metadata": {"type": "object", "required": ["x"]}}},
            "s.properties[metadata]",
            "must not specify anything other than name and generateName",
        ),
        (
            root(type="string", **{"x-kubernetes-int-or-string": True}),
            "s.properties[spec].type",
            "must be empty if x-kubernetes-int-or-string is true",
        ),
        (
            root(type="object", **{"x-kubernetes-preserve-unknown-fields": False}),
            "s.properties[spec].x-kubernetes-preserve-unknown-fields",
            "must be true or undefined",
        ),
        (
            root(type="array", items=TEXT, **{"x-kubernetes-list-type": "map"}),
            "s.properties[spec].x-kubernetes-list-map-keys",
            "must not be empty if x-kubernetes-list-type is map",
        ),
        (
            root(
                type="array",
                items={"type": "object", "properties": {"k": TEXT}},
                **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
            ),
            "s.properties[spec].items.properties[k].default",
            "so it must have a default or be a required property",
        ),
        (
            root(type="array", items={"type": "object"}, **{"x-kubernetes-list-type": "set"}),
            "s.properties[spec].items.x-kubernetes-map-type",
            "must be atomic as item of a list with x-kubernetes-list-type=set",
        ),
        (root(type="string", pattern="("), "s.properties[spec].pattern", "regular expression"),
        (
            root(type="string", default=1),
            "s.properties[spec].default",
            'must be of type string: "integer"',
        ),
        (
            root(type="object", properties={}, default={"a": 1}),
            "s.properties[spec].default",
            "must not have unknown fields: a",
        ),
        (root(type="string", minLength="1"), "s.properties[spec].minLength", "must be of type"),
        (root(type="object", properties={"a": 7}), "s.properties[spec].properties[a]", "a schema"),
        (
            root(type="integer", **{"x-kubernetes-validations": [{"rule": "self.x"}]}),
            "s.properties[spec].x-kubernetes-validations[0].rule",
            "compilation failed",
        ),
        (
            root(type="integer", **{"x-kubernetes-validations": [{"rule": "self + 1"}]}),
            "s.properties[spec].x-kubernetes-validations[0].rule",
            "must evaluate to a bool",
        ),
    ],
)
def test_what_is_not_structural_is_refused(schema: Any, field: str, message: str) -> None:
    causes = found(schema)
    assert message in causes[field], causes


def test_a_schema_nested_too_deeply_is_refused_and_harmless() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"a": schema}}
    assert any("nested too deeply" in message for message in found(schema).values())


def test_rules_that_could_cost_too_much_are_refused() -> None:
    rule = {"rule": "self.all(x, x.all(y, y.matches('a.*b')))"}
    schema = root(
        type="array",
        items={"type": "array", "items": TEXT},
        **{"x-kubernetes-validations": [rule]},
    )
    (message,) = {it for it in found(schema).values() if "rule cost exceeds" in it}
    assert message.startswith("Forbidden: estimated rule cost exceeds budget by factor of")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "string", "a", "("]),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "type"]), below, max_size=2)
    ),
    max_leaves=5,
)
KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "items",
        "additionalProperties",
        "default",
        "enum",
        "required",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "multipleOf",
        "maxLength",
        "maxItems",
        "nullable",
        "oneOf",
        "not",
        "allOf",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-validations",
    ]
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean"])
LIKELY = st.recursive(
    st.builds(lambda kind: {"type": kind}, TYPES),
    lambda below: (
        st.builds(
            lambda kind, members, more: {"type": kind, "properties": members, **more},
            st.just("object"),
            st.dictionaries(st.sampled_from(["a", "b", "metadata"]), below, max_size=2),
            st.dictionaries(KEYWORDS, JSON | below, max_size=2),
        )
        | st.builds(lambda items: {"type": "array", "items": items}, below)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(LIKELY | st.dictionaries(KEYWORDS, JSON, max_size=4) | JSON, JSON)
def test_no_schema_does_harm(schema: Any, value: Any) -> None:
    """Whatever somebody sends is refused in words, or can be served."""
    if list(check_schema(schema, "s")):
        return
    compiled = compile_schema(schema)
    tree = value if isinstance(value, dict) else {"a": value}
    try:
        compiled.definition.check(tree)
    except WrongType:
        return
    if compiled.default is not None:
        compiled.default(tree)
    compiled.check(tree, None)
    compiled.check(tree, {"a": 1})
