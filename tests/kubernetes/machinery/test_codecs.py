"""Bodies, and the bombs among them."""

import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery import codecs, yaml_documents
from sampan.kubernetes.machinery.codecs import InvalidBody


def test_duplicates_are_named() -> None:
    body = b'{"spec": {"replicas": 1, "replicas": 2}, "list": [{"a": 1, "a": 1}]}'
    decoded = codecs.decode_object(body)
    assert decoded.tree["spec"] == {"replicas": 2}
    assert sorted(decoded.duplicates) == ["list[0].a", "spec.replicas"]


def test_colons_in_texts_are_no_duplicates() -> None:
    decoded = codecs.decode_object(b'{"a:b": "http://c", "d": ["x:y"], "e": "\\u003a"}')
    assert decoded.duplicates == ()


@pytest.mark.parametrize(
    "body",
    [
        b'{"a" :1, "a":2}',
        b'{"a"\n\t: 1, "a"\r: 2}',
        b'{"a":"x\\u0022:", "a":"\\u003ay", "b":"\\u003A"}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":[{"a":1,"a":":"}], "b":"\\":"}',
    ],
)
def test_duplicates_hide_behind_no_white_space_and_no_escape(body: bytes) -> None:
    assert codecs.decode_object(body).duplicates != ()


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", ":", '"', "\\"]), st.text('":\\u03aA \n'))),
    st.sampled_from([":", " :", " : ", "\n:\t"]),
    st.booleans(),
)
def test_duplicates_are_found_however_they_are_written(
    pairs: list[tuple[str, str]], colon: str, ascii_only: bool
) -> None:
    members = [
        f"{json.dumps(key, ensure_ascii=ascii_only)}{colon}{json.dumps(value)}"
        for key, value in pairs
    ]
    keys = [key for key, _ in pairs]
    repeated = {key for key in keys if keys.count(key) > 1}
    decoded = codecs.decode_object(f"{{{','.join(members)}}}".encode())
    assert decoded.tree == dict(pairs)
    assert set(decoded.duplicates) == repeated


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nothing",
        b"[1]",
        b"3",
        b'{"a": NaN}',
        b"\xff",
        b'{"a":' * 10_000,
        b"[" * 300 + b"]" * 300,
    ],
)
def test_bad_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        codecs.decode_object(body)


def test_a_deep_body_is_refused() -> None:
    for depth in (300, 10_000):
        with pytest.raises(InvalidBody, match="nested too deeply"):
            codecs.decode_object(b'{"a":' * depth + b"1" + b"}" * depth)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), _json, max_size=4))
def test_an_object_survives_the_codec(tree: dict[str, object]) -> None:
    assert codecs.decode_object(codecs.encode(tree)) == codecs.Decoded(tree)


def test_yaml_is_read_as_its_json_form() -> None:
    body = b"""
# a comment
a: {b: 1, c: [yes, 0644, 0x1f, 1.5, "1", =, 2001-01-01, ~, !!str 5]}
d: |
  text
"""
    assert yaml_documents.decode(body).tree == {
        "a": {"b": 1, "c": [True, 420, 31, 1.5, "1", "=", "2001-01-01", None, "5"]},
        "d": "text\n",
    }


def test_yaml_duplicates_are_named() -> None:
    assert yaml_documents.decode(b"a:\n  b: 1\n  b: 2\n").duplicates == ("a.b",)


@pytest.mark.parametrize(
    "body",
    [
        b"a: &x 1\nb: *x",
        b"[" * 5000,
        b"a: !!python/object:os.system x",
        b"a: !thing x",
        b"a: b: c",
        b"a: 1\n---\nb: 2",
        b"\xff\xfe\xff",
        b"? [a]\n: b",
        b"a: \x00",
        b"a: !!int x",
    ],
)
def test_bad_yaml_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        yaml_documents.decode(body)


def test_a_yaml_bomb_is_refused_in_bounded_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    tracemalloc.start()
    with pytest.raises(InvalidBody, match="aliases"):
        yaml_documents.decode("\n".join(lines).encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_too_many_yaml_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_documents, "MAXIMUM_NODES", 100)
    with pytest.raises(InvalidBody, match="more than 100 nodes"):
        yaml_documents.decode(b"[" + b"a," * 101 + b"a]")


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), _json, max_size=3))
def test_json_is_yaml(tree: dict[str, object]) -> None:
    body = msgspec.json.encode(tree)
    printable = all(sign >= " " and sign != "\x7f" for sign in body.decode())
    if printable and all(ord(sign) < 127 for sign in body.decode()):
        assert yaml_documents.decode(body).tree == tree
