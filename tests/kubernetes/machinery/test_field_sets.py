"""Field sets: their encoding, their order, and their algebra."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery import field_set
from sampan.kubernetes.machinery.field_set import InvalidFieldSet

_keys = st.dictionaries(
    st.sampled_from(["name", "port"]),
    st.one_of(st.text(max_size=3), st.integers(0, 999)),
    min_size=1,
)
_elements = st.one_of(
    st.sampled_from("abc").map(lambda name: f"f:{name}"),
    _keys.map(lambda keys: field_set.key_element(dict(sorted(keys.items())))),
    st.one_of(st.text(max_size=3), st.integers(-5, 99), st.booleans()).map(field_set.value_element),
    st.integers(0, 20).map(lambda index: f"i:{index}"),
)
_paths = st.lists(_elements, min_size=1, max_size=4).map(tuple)
_sets_of_paths = st.sets(_paths, max_size=12)


def made(paths):
    result = {}
    for path in paths:
        result = field_set.union(result, field_set.of_path(path))
    return result


@given(_sets_of_paths)
def test_a_set_holds_what_was_put_in(paths):
    fields = made(paths)
    assert set(field_set.paths(fields)) == paths
    assert all(field_set.has_path(fields, path) for path in paths)


@given(_sets_of_paths)
def test_a_set_is_read_back_in_the_same_order(paths):
    fields = made(paths)
    text = json.dumps(fields)
    assert json.dumps(field_set.decode(json.loads(text))) == text
    jumbled = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert json.dumps(field_set.decode(jumbled)) == text


@given(_sets_of_paths, _sets_of_paths)
def test_the_algebra_is_that_of_sets_of_paths(one, other):
    first, second = made(one), made(other)
    before = json.dumps([first, second])
    assert set(field_set.paths(field_set.union(first, second))) == one | other
    assert set(field_set.paths(field_set.difference(first, second))) == one - other
    assert set(field_set.paths(field_set.intersection(first, second))) == one & other
    assert json.dumps([first, second]) == before
    assert json.dumps(made(one | other)) == json.dumps(field_set.union(first, second))


def test_elements_stand_in_kubernetes_order():
    fields = {
        'v:"b"': {},
        "i:1": {},
        'k:{"port":443}': {},
        'k:{"port":80}': {},
        "f:z": {},
        "f:a": {},
        "v:2": {},
        ".": {},
    }
    assert list(field_set.decode(fields)) == [
        ".",
        "f:a",
        "f:z",
        'k:{"port":80}',
        'k:{"port":443}',
        "v:2",
        'v:"b"',
        "i:1",
    ]


def test_keys_get_their_canonical_form():
    given_set = {'k:{"protocol": "TCP", "port":80}': {".": {}}}
    assert field_set.decode(given_set) == {'k:{"port":80,"protocol":"TCP"}': {}}


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {"spec": {}},
        {"x:a": {}},
        {"f:a": 1},
        {"k:[]": {}},
        {"k:{": {}},
        {"i:a": {}},
        {"v:" + "[" * 9999: {}},
    ],
    ids=lambda fields: str(fields)[:20],
)
def test_what_is_no_field_set_is_refused(fields):
    with pytest.raises(InvalidFieldSet):
        field_set.decode(fields)


def test_a_set_that_is_too_deep_is_refused():
    fields = {}
    for _ in range(5000):
        fields = {"f:a": fields}
    with pytest.raises(InvalidFieldSet):
        field_set.decode(fields)


def test_paths_are_shown_as_in_conflicts():
    path = ("f:spec", 'k:{"name":"a","port":80}', 'v:"x"', "i:3", "f:b")
    assert field_set.render(path) == '.spec[name="a",port=80][="x"][3].b'
