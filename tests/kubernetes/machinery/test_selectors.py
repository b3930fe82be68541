"""Selectors: parsing, matching, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.kubernetes.machinery import selectors
from sampan.kubernetes.machinery.selectors import InvalidSelector

LABELS = {"app": "web", "tier": "front", "weight": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("other!=db", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db),tier=front", True),
        ("other notin (db)", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("! app", False),
        ("weight>4", True),
        ("weight<5", False),
        ("other>1", False),
        ("app=web,tier=back", False),
        (" app = web , tier = front ", True),
        ("app=", False),
        ("app in ()", False),
    ],
)
def test_matching(text: str, matches: bool) -> None:
    assert selectors.parse(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a,,b",
        "=",
        "a=b c",
        "a in b",
        "a in (b",
        "a=(",
        "a>x",
        "!",
        "a=b=c",
        "/x=1",
        "a=-",
        "a=" + "x" * 64,
    ],
)
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(InvalidSelector):
        selectors.parse(text)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["db"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        (
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "x", "operator": "Exists"}],
            },
            False,
        ),
    ],
)
def test_selector_objects(selector: dict[str, object], matches: bool) -> None:
    chosen = selectors.from_object(selector)
    assert chosen is not None
    assert chosen.matches(LABELS) is matches


def test_no_selector_object_selects_nothing() -> None:
    assert selectors.from_object(None) is None


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(InvalidSelector, match="not a valid selector operator"):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": "Like"}]})


def test_equalities_are_what_an_index_can_use() -> None:
    assert selectors.parse("a=b,c!=d,e in (f),g in (h,i)").equalities == (("a", "b"), ("e", "f"))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==b", False),
        ("status.phase!=Failed", True),
        ("metadata.name=a,status.phase=Running", True),
        ("spec.nodeName=", True),
        (r"x=b\,c", False),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    fields = {"metadata.name": "a", "status.phase": "Running", "spec.nodeName": ""}
    assert selectors.parse_fields(text).matches(fields) is matches


@pytest.mark.parametrize("text", ["a", "a>b", "=b", "a=b=c"])
def test_what_is_no_field_selector(text: str) -> None:
    with pytest.raises(InvalidSelector):
        selectors.parse_fields(text)


_keys = st.from_regex(r"[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)
_values = st.from_regex(r"[A-Za-z0-9]{0,4}", fullmatch=True)
_requirements = st.one_of(
    st.builds(
        lambda key, operator, values: f"{key} {operator} ({','.join(values)})",
        _keys.filter(lambda key: key not in ("in", "notin")),
        st.sampled_from(["in", "notin"]),
        st.lists(_values, min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, sign, value: f"{key}{sign}{value}",
        _keys,
        st.sampled_from(["=", "==", "!="]),
        _values,
    ),
    _keys,
    _keys.map(lambda key: f"!{key}"),
)


@given(st.lists(_requirements, min_size=1, max_size=4).map(",".join))
def test_a_selector_survives_being_shown(text: str) -> None:
    chosen = selectors.parse(text)
    assert selectors.parse(selectors.show(chosen)) == chosen


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (selectors.parse, selectors.parse_fields):
        try:
            parse(text)
        except InvalidSelector:
            continue
