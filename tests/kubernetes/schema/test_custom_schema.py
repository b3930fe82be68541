"""What a custom resource's schema does with objects: prune, default, judge."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.schema.custom_schema import compile_schema
from sampan.kubernetes.schema.structure import WrongType


def of_spec(**spec: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": spec}}


def judged(spec: dict[str, Any], value: Any, old: Any = None) -> list[tuple[str, str]]:
    schema = compile_schema(of_spec(**spec))
    before = None if old is None else {"spec": old}
    return [(it.field, it.message) for it in schema.check({"spec": value}, before)]


@pytest.mark.parametrize(
    ("spec", "value", "wanted"),
    [
        (
            {"type": "integer"},
            "x",
            'spec: Invalid value: "string": spec in body must be of type integer: "string"',
        ),
        (
            {"type": "integer"},
            True,
            'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"',
        ),
        (
            {"type": "string"},
            None,
            'spec: Invalid value: "null": spec in body must be of type string: "null"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            [],
            'spec: Invalid value: "array": spec in body must be of type integer,string: "array"',
        ),
        (
            {"type": "integer", "minimum": 3},
            2,
            "spec: Invalid value: 2: spec in body should be greater than or equal to 3",
        ),
        (
            {"type": "number", "maximum": 3, "exclusiveMaximum": True},
            3,
            "spec: Invalid value: 3: spec in body should be less than 3",
        ),
        (
            {"type": "integer", "multipleOf": 5},
            7,
            "spec: Invalid value: 7: spec in body should be a multiple of 5",
        ),
        (
            {"type": "string", "minLength": 3},
            "ab",
            'spec: Invalid value: "ab": spec in body should be at least 3 chars long',
        ),
        ({"type": "string", "maxLength": 1}, "ab", "spec: Too long: may not be more than 1 bytes"),
        (
            {"type": "string", "pattern": "^a+$"},
            "ab",
            "spec: Invalid value: \"ab\": spec in body should match '^a+$'",
        ),
        (
            {"type": "string", "format": "date-time"},
            "today",
            'spec: Invalid value: "today": spec in body must be of type date-time: "today"',
        ),
        (
            {"type": "string", "enum": ["a", "b"]},
            "c",
            'spec: Unsupported value: "c": supported values: "a", "b"',
        ),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
            {},
            "spec.a: Required value",
        ),
        (
            {"type": "array", "maxItems": 1, "items": {"type": "string"}},
            ["a", "b"],
            "spec: Too many: 2: must have at most 1 items",
        ),
        (
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
            [],
            "spec: Invalid value: 0: spec in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": {"type": "integer"}},
            [1, "x"],
            'spec[1]: Invalid value: "string": spec[1] in body must be of type integer: "string"',
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "set",
                "items": {"type": "string"},
            },
            ["a", "a"],
            'spec[1]: Duplicate value: "a"',
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "string"}}},
            },
            [{"k": "a"}, {"k": "a"}],
            'spec[1]: Duplicate value: {"k":"a"}',
        ),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1, "b": 2},
            '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
            "Found 2 valid alternatives",
        ),
        (
            {"type": "integer", "not": {"enum": [3]}},
            3,
            '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
        ),
        (
            {"type": "integer", "anyOf": [{"minimum": 9}, {"maximum": 1}]},
            5,
            '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        ),
    ],
)
def test_a_value_is_refused_in_the_words_of_kubernetes(
    spec: dict[str, Any], value: Any, wanted: str
) -> None:
    assert wanted in [f"{field}: {message}" for field, message in judged(spec, value)]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"type": "integer"}, 5.0),
        ({"type": "number"}, 5),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True}, "50%"),
        ({"type": "string", "format": "date-time"}, "2026-01-01T10:00:00.5+02:00"),
        ({"type": "string", "format": "ipv6"}, "2001:db8::1"),
        ({"type": "string", "format": "of-our-own"}, "anything"),
        ({"type": "integer", "enum": [1, 2]}, 2),
    ],
)
def test_a_value_that_fits_is_taken(spec: dict[str, Any], value: Any) -> None:
    assert judged(spec, value) == []


def pruned(spec: dict[str, Any], value: Any) -> tuple[Any, list[str]]:
    tree = {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}, "spec": value}
    found = compile_schema(of_spec(**spec)).definition.check(tree)
    return tree["spec"], found.unknown


def test_unknown_fields_go_unless_their_object_keeps_them() -> None:
    known = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert pruned(known, {"a": "x", "b": 1}) == ({"a": "x"}, ["spec.b"])
    keeps = {**known, "x-kubernetes-preserve-unknown-fields": True}
    assert pruned(keeps, {"b": 1}) == ({"b": 1}, [])
    nested = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    nested["properties"] = {"in": known}
    assert pruned(nested, {"x": 1, "in": {"b": 1}}) == ({"x": 1, "in": {}}, ["spec.in.b"])
    listed = {"type": "array", "items": known}
    assert pruned(listed, [{"b": 1}]) == ([{}], ["spec[0].b"])
    mapped = {"type": "object", "additionalProperties": known}
    assert pruned(mapped, {"k": {"b": 1}}) == ({"k": {}}, ["spec.k.b"])


def test_metadata_has_its_own_form_whatever_the_schema_says() -> None:
    schema = compile_schema({"type": "object"})
    tree: dict[str, Any] = {"metadata": {"name": "a", "odd": 1}}
    assert schema.definition.check(tree).unknown == ["metadata.odd"]
    with pytest.raises(WrongType):
        schema.definition.check({"metadata": {"labels": {"a": 1}}})
    with pytest.raises(WrongType):
        schema.definition.check({"metadata": "x"})


def filled(spec: dict[str, Any], value: Any) -> Any:
    tree = {"spec": value}
    fill = compile_schema(of_spec(**spec)).default
    assert fill is not None
    fill(tree)
    return tree.get("spec")


def test_defaults_fill_what_is_absent_or_null() -> None:
    spec = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "default": "x"},
            "b": {"type": "object", "default": {}, "properties": {"c": {"default": 1}}},
            "n": {"type": "string", "nullable": True, "default": "y"},
            "p": {"type": "string"},
        },
    }
    assert filled(spec, {}) == {"a": "x", "b": {"c": 1}, "n": "y"}
    assert filled(spec, {"a": None, "n": None, "p": None}) == {
        "a": "x",
        "b": {"c": 1},
        "n": None,
    }
    assert filled({"type": "array", "items": {"type": "object", **spec}}, [{}])[0]["a"] == "x"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "z"]), below, max_size=4)
    ),
    max_leaves=12,
)
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "default": 3},
        {"type": "string", "nullable": True},
        {"type": "string", "default": "x", "minLength": 1},
        {"x-kubernetes-int-or-string": True},
        {"x-kubernetes-preserve-unknown-fields": True},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda below: (
        st.builds(lambda it: {"type": "array", "items": it}, below)
        | st.builds(lambda it: {"type": "object", "additionalProperties": it}, below)
        | st.builds(
            lambda members, keeps: {
                "type": "object",
                "properties": members,
                **({"x-kubernetes-preserve-unknown-fields": True} if keeps else {}),
            },
            st.dictionaries(st.sampled_from(["a", "b", "c"]), below, max_size=3),
            st.booleans(),
        )
    ),
    max_leaves=8,
)


@given(SCHEMAS, VALUES)
def test_pruning_and_defaulting_twice_change_nothing_more(spec: Any, value: Any) -> None:
    schema = compile_schema(of_spec(**spec))
    tree = {"spec": value}
    schema.definition.check(tree)
    once = msgspec.json.encode(tree)
    assert schema.definition.check(tree).unknown == []
    assert msgspec.json.encode(tree) == once
    if schema.default is not None:
        schema.default(tree)
        filled_once = msgspec.json.encode(tree)
        schema.default(tree)
        assert msgspec.json.encode(tree) == filled_once
    schema.check(tree, tree)


@given(SCHEMAS, VALUES)
def test_what_was_pruned_is_a_part_of_what_was_given(spec: Any, value: Any) -> None:
    given_value = msgspec.json.decode(msgspec.json.encode({"spec": value}))
    tree = {"spec": value}
    compile_schema(of_spec(**spec)).definition.check(tree)
    assert is_part(tree, given_value)


def is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and is_part(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_part, part, whole))
    return bool(part == whole)


def rules(*given_rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "x-kubernetes-validations": list(given_rules), **more}


NUMBERS = {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("rule", "value", "old", "wanted"),
    [
        ({"rule": "self.a < self.b"}, {"a": 1, "b": 2}, None, []),
        (
            {"rule": "self.a < self.b"},
            {"a": 2, "b": 2},
            None,
            [("spec", "Invalid value: failed rule: self.a < self.b")],
        ),
        (
            {"rule": "self.a < self.b", "message": "must grow", "fieldPath": ".b"},
            {"a": 2, "b": 2},
            None,
            [("spec.b", "Invalid value: must grow")],
        ),
        (
            {"rule": "self.a < 2", "messageExpression": "'got ' + string(self.a)"},
            {"a": 2},
            None,
            [("spec", "Invalid value: got 2")],
        ),
        (
            {"rule": "self.a < 2", "reason": "FieldValueForbidden", "message": "no"},
            {"a": 2},
            None,
            [("spec", "Forbidden: no")],
        ),
        ({"rule": "self.a >= oldSelf.a"}, {"a": 1}, None, []),
        (
            {"rule": "self.a >= oldSelf.a", "message": "only grows"},
            {"a": 1},
            {"a": 2},
            [("spec", "Invalid value: only grows")],
        ),
        (
            {"rule": "oldSelf.hasValue() || self.a == 1", "optionalOldSelf": True},
            {"a": 2},
            None,
            [
                (
                    "spec",
                    "Invalid value: failed rule: oldSelf.hasValue() || self.a == 1",
                )
            ],
        ),
        (
            {"rule": "self.b > 0"},
            {"a": 1},
            None,
            [("spec", "Invalid value: no such key: b evaluating rule: self.b > 0")],
        ),
    ],
)
def test_rules_in_cel(rule: Any, value: Any, old: Any, wanted: list[tuple[str, str]]) -> None:
    assert judged(rules(rule, **NUMBERS), value, old) == wanted


def test_items_of_a_list_map_are_compared_with_what_they_were() -> None:
    item = {
        "type": "object",
        "properties": {
            "k": {"type": "string"},
            "v": {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]},
        },
    }
    spec = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": item,
    }
    old = [{"k": "a", "v": 1}, {"k": "b", "v": 2}]
    assert judged(spec, [{"k": "b", "v": 2}, {"k": "c", "v": 3}], old) == []
    ((field, _),) = judged(spec, [{"k": "b", "v": 3}], old)
    assert field == "spec[0].v"


def test_rules_wait_for_values_of_the_right_types() -> None:
    causes = judged(rules({"rule": "self.a < 2"}, **NUMBERS), {"a": "x"})
    assert causes[1][0] == "<nil>"
    assert causes[1][1].startswith('Invalid value: "null": some validation rules were not checked')


def test_what_was_taken_once_is_not_judged_again() -> None:
    spec = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "maxLength": 1},
            "b": {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 3"}]},
        },
    }
    old = {"a": "long", "b": 5}
    assert judged(spec, old, old) == []
    assert judged(spec, {"a": "long", "b": 5, "c": 1}, old) == []
    assert [field for field, _ in judged(spec, {"a": "longer", "b": 5}, old)] == ["spec.a", "<nil>"]
    assert [field for field, _ in judged(spec, {"a": "long", "b": 6}, old)] == ["spec.b"]
    assert [field for field, _ in judged({"type": "integer"}, True, 1)] == ["spec"]


def test_objects_within_objects_have_metadata_of_their_own() -> None:
    spec = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    inner = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a", "odd": 1}, "data": 1}
    assert pruned(spec, inner)[1] == ["spec.metadata.odd"]
    assert judged(spec, inner) == []
    assert [field for field, _ in judged(spec, {"kind": "X"})] == ["spec.apiVersion"]
    with pytest.raises(WrongType):
        pruned(spec, {"metadata": {"labels": 3}})
