"""The language itself: literals, operators, macros, optional values, conversions, times."""

from typing import Any

import pytest

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import EvaluationFailed, InvalidExpression
from sampan.kubernetes.expressions.program import compile

SELF = {
    "name": "web",
    "replicas": 3,
    "ratio": 0.5,
    "labels": {"app": "web", "tier.io/x": "front"},
    "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
    "empty": {},
    "nothing": None,
}


def value_of(text: str, **bindings: Any) -> Any:
    given = {"self": SELF, **bindings}
    return compile(text, variables=given.keys()).evaluate(given, Budget())


@pytest.mark.parametrize(
    "text",
    [
        # literals
        "0x1F == 31",
        "1u + 2u == 3u",
        "1.5e1 == 15.0",
        ".5 == 0.5",
        r"'a\tb\x41\u0042\101' == \"a\tbABA\"".replace('\\"', '"'),
        r"r'\d' == '\\d'",
        "'''a\nb''' == 'a\\nb'",
        "b'\\xff\\000' == b'\\xff\\x00'",
        "size(b'ÿ') == 2",
        "[1, 2,] == [1, 2]",
        "{'a': 1, 'b': 2,} == {'b': 2, 'a': 1}",
        "-9223372036854775808 < 0",
        # arithmetic and comparison
        "1 + 2 * 3 - 4 / 2 == 5",
        "-7 / 2 == -3 && -7 % 2 == -1",
        "7.0 / 2.0 == 3.5",
        "'a' + 'b' == 'ab' && [1] + [2] == [1, 2]",
        "dyn(1) == 1.0 && dyn(1u) == 1 && 2 > 1.5 && 1u < 2",
        "dyn(1) != 'a' && !(dyn(true) == 1)",
        "dyn([1, 2]) == [1.0, 2.0] && dyn({'a': 1}) == {'a': 1.0}",
        "'a' < 'b' && false < true && b'a' < b'b'",
        "!false && !!true && --1 == 1",
        "1 in [1, 2] && !(3 in [1, 2]) && 'app' in self.labels && dyn(1.0) in [1]",
        "true ? 1 == 1 : false",
        "2 > 1 ? 'x' == 'x' : 'y' == 'x'",
        # errors are absorbed by what decides
        "true || self.none == 1",
        "self.none == 1 || true",
        "!(false && self.none == 1)",
        "!(self.none == 1 && false)",
        "[1, 2, 3].exists(x, x / (x - 1) > 1)",
        "![1, 2].all(x, 1 / (x - 1) > 5)",
        # fields
        "self.name == 'web' && self['name'] == 'web'",
        "self.ports[1].port == 443 && self.labels['tier.io/x'] == 'front'",
        "has(self.name) && !has(self.missing) && has(self.nothing)",
        "self.nothing == null",
        "self.replicas == 3 && self.ratio < 1.0",
        # macros
        "self.ports.all(p, p.port > 0) && self.ports.exists(p, p.name == 'https')",
        "self.ports.exists_one(p, p.port == 80) && !self.ports.exists_one(p, p.port > 0)",
        "self.ports.map(p, p.port) == [80, 443]",
        "self.ports.map(p, p.port > 100, p.name) == ['https']",
        "self.ports.filter(p, p.port > 100).size() == 1",
        "self.labels.all(k, k.size() > 0) && self.labels.map(k, k).size() == 2",
        "[].all(x, false) && ![].exists(x, true)",
        "[[1, 2], [3]].all(x, x.all(x, x > 0))",
        "[1, 2].map(x, [10, 20].map(y, x * y)) == [[10, 20], [20, 40]]",
        "[5, 6].all(i, v, v == i + 5) && {'a': 1}.exists(k, v, k == 'a' && v == 1)",
        "[5, 6].existsOne(i, v, v == 6)",
        "[5, 6].transformList(i, v, i + v) == [5, 7]",
        "[5, 6].transformList(i, v, i > 0, v) == [6]",
        "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10) == {'b': 20}",
        "{'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}",
        "cel.bind(x, 2, x * x) == 4",
        # optional values
        "self.?name.orValue('none') == 'web' && self.?missing.orValue('none') == 'none'",
        "self.?missing.?deeper.hasValue() == false",
        "self.?empty.missing.orValue(7) == 7",
        "self.labels[?'app'].value() == 'web' && [1][?3].orValue(9) == 9",
        "optional.of(2).optMap(x, x + 1).value() == 3",
        "optional.none().or(optional.of(1)).value() == 1",
        "optional.of(1).optFlatMap(x, optional.none()).hasValue() == false",
        "optional.ofNonZeroValue('').hasValue() == false",
        "[?self.?missing, ?self.?replicas] == [3]",
        "{?'a': self.?missing, 'b': 1} == {'b': 1}",
        "has(self.?empty.x) == false",
        # types and conversions
        "type(1) == int && type('') == string && type(type(1)) == type && type(null) == null_type",
        "type([]) == list && type({}) == map && type(1u) == uint && type(1.0) == double",
        "type(duration('1s')) == google.protobuf.Duration",
        "int('42') == 42 && int(2.9) == 2 && int(-2.9) == -2 && uint('7') == 7u",
        "double('1.5') == 1.5 && string(1) == '1' && string(1.0) == '1' && string(true) == 'true'",
        "bool('true') && !bool('0') && bytes('é') == b'é' && string(b'ab') == 'ab'",
        "size('héllo') == 5 && 'abc'.size() == 3 && size({'a': 1}) == 1",
        # times
        "timestamp('2026-11-23T12:30:45.5Z').getHours() == 12",
        "timestamp('2026-11-23T12:30:45Z').getHours('-02:00') == 10",
        "timestamp('2026-11-23T12:30:45Z').getMonth() == 10",
        "timestamp('2026-11-23T12:30:45Z').getDayOfWeek() == 1",
        "timestamp('2026-11-23T12:30:45Z').getDate() == 23",
        "timestamp('2026-01-02T00:00:00Z').getDayOfYear() == 1",
        "timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')",
        "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
        "duration('1h30m').getMinutes() == 90 && duration('1.5s').getMilliseconds() == 1500",
        "string(duration('90s')) == '90s' && string(duration('-1.5s')) == '-1.5s'",
        "string(timestamp('2026-11-23T12:30:45.5Z')) == '2026-11-23T12:30:45.5Z'",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60",
        "duration('1s') < duration('1m')",
        # comments and layout
        "true // and nothing else",
        "1 +\n  1 == 2",
    ],
)
def test_true(text: str) -> None:
    assert value_of(text) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.missing", "no such key: missing"),
        ("self.ports[7]", "index out of bounds: 7"),
        ("self.labels['x']", "no such key: x"),
        ("self.replicas / 0", "division by zero"),
        ("self.replicas % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("self.name + self.replicas", "no such overload: _+_(string, int)"),
        ("self.name.foo", "no such overload: select(string)"),
        ("self.name && true", "no such overload: _&&_(string)"),
        ("self.name ? 1 : 2", "no such overload: _?_:_(string)"),
        ("[true, self.none].all(x, x)", "no such key: none"),
        ("optional.none().value()", "optional.none() dereference"),
        ("duration(self.name)", 'time: invalid duration "web"'),
        ("int(self.name)", 'strconv.ParseInt: parsing "web": invalid syntax'),
        ("{self.name: 1, 'web': 2}", "Failed with repeated key: web"),
        ("self.name < 1", "no such overload: _<_(string, int)"),
    ],
)
def test_failures(text: str, message: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        value_of(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other", "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')"),
        ("f(1)", "ERROR: <input>:1:2: undeclared reference to 'f' (in container '')"),
        ("'a'.f()", "ERROR: <input>:1:6: undeclared reference to 'f' (in container '')"),
        (
            "1 + 'a'",
            "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'",
        ),
        (
            "'a'.startsWith(1)",
            "ERROR: <input>:1:15: found no matching overload for 'startsWith' applied to "
            "'string.(int)'",
        ),
        (
            "1 == 'a'",
            "ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, string)'",
        ),
        ("[1, 'a']", "ERROR: <input>:1:5: expected type 'int' but found 'string'"),
        ("1.all(x, true)", None),
        (
            "true ? 1 : 'a'",
            "ERROR: <input>:1:6: found no matching overload for '_?_:_' applied to "
            "'(bool, int, string)'",
        ),
        ("'a'.b", "ERROR: <input>:1:4: type 'string' does not support field selection"),
        ("'a'.matches('(')", "ERROR: <input>:1:13: invalid matches argument"),
        ("duration('x')", "ERROR: <input>:1:10: invalid duration argument"),
        ("has(self)", "ERROR: <input>:1:4: invalid argument to has() macro"),
        ("1 +", None),
        ("(1", None),
        ("'a", None),
        ("", None),
        ("18446744073709551616", "ERROR: <input>:1:1: invalid int literal"),
        ("if", "ERROR: <input>:1:1: Syntax error: reserved identifier: if"),
        ("!-1", None),
    ],
)
def test_refusals(text: str, message: str | None) -> None:
    with pytest.raises(InvalidExpression) as caught:
        compile(text, variables=("self",))
    if message is not None:
        assert str(caught.value).splitlines()[0] == message


def test_the_place_of_an_error_is_shown() -> None:
    with pytest.raises(InvalidExpression) as caught:
        compile("true &&\n  other > 1", variables=())
    assert str(caught.value) == (
        "ERROR: <input>:2:3: undeclared reference to 'other' (in container '')\n"
        " |   other > 1\n"
        " | ..^"
    )
