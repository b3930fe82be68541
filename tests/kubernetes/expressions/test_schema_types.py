"""Types from structural schemas: names, conversions, refusals, estimates of cost."""

from typing import Any

import pytest

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import InvalidExpression
from sampan.kubernetes.expressions.program import compile
from sampan.kubernetes.expressions.schema_types import escaped, type_of_schema
from sampan.kubernetes.schema.expression_checks import RULE_LIMIT

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "ratio": {"type": "number"},
        "since": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "wait": {"type": "string", "format": "duration"},
        "data": {"type": "string", "format": "byte"},
        "port": {"x-kubernetes-int-or-string": True},
        "any": {"x-kubernetes-preserve-unknown-fields": True},
        "x-prop": {"type": "string"},
        "namespace": {"type": "string"},
        "hidden": {"type": "array"},
        "list": {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 20}},
        "open": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def value_of(text: str, value: dict[str, Any]) -> Any:
    kind = type_of_schema(SCHEMA, is_resource=True)
    assert kind is not None
    return compile(text, variables={"self": kind}).evaluate({"self": value}, Budget())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("self.replicas + 1 == 4", {"replicas": 3}),
        ("self.ratio * 2.0 == 2.0", {"ratio": 1}),
        ("self.since < timestamp('2030-01-01T00:00:00Z')", {"since": "2026-01-01T00:00:00Z"}),
        ("self.wait.getSeconds() == 60", {"wait": "1m"}),
        ("self.data == b'hi'", {"data": "aGk="}),
        ("self.port == 80 || self.port == 'http'", {"port": "http"}),
        ("self.day.getMonth() == 10", {"day": "2026-11-23"}),
        ("self.any.deep.x == 1", {"any": {"deep": {"x": 1}}}),
        (
            "self.x__dash__prop == 'a' && self.__namespace__ == 'b'",
            {"x-prop": "a", "namespace": "b"},
        ),
        ("has(self.x__dash__prop)", {"x-prop": "a"}),
        ("self.metadata.name == 'n' && self.kind == 'K'", {"kind": "K", "metadata": {"name": "n"}}),
        ("self.labels.all(k, self.labels[k] != '')", {"labels": {"a": "b"}}),
        ("self.?ratio.orValue(1.0) == 0.5", {"ratio": 0.5}),
    ],
)
def test_fields_have_their_types(text: str, value: dict[str, Any]) -> None:
    assert value_of(text, value) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self.missing", "undefined field 'missing'"),
        ("self.hidden", "undefined field 'hidden'"),
        ("self.metadata.labels", "undefined field 'labels'"),
        (
            "self.replicas == 'x'",
            "found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            "self.replicas == null",
            "found no matching overload for '_==_' applied to '(int, null)'",
        ),
        (
            "self.replicas + 1.0 > 0.0",
            "found no matching overload for '_+_' applied to '(int, double)'",
        ),
    ],
)
def test_what_cannot_work_is_refused(text: str, message: str) -> None:
    kind = type_of_schema(SCHEMA, is_resource=True)
    assert kind is not None
    with pytest.raises(InvalidExpression) as caught:
        compile(text, variables={"self": kind})
    assert message in str(caught.value)


def test_names_are_escaped() -> None:
    assert escaped("a.b-c/d__e") == "a__dot__b__dash__c__slash__d__underscores__e"
    assert escaped("in") == "__in__"
    assert escaped("$ref") is None


def test_costs_follow_from_sizes() -> None:
    kind = type_of_schema(SCHEMA)
    assert kind is not None

    def cost(text: str) -> int:
        return compile(text, variables={"self": kind}).estimated_cost

    assert cost("self.replicas > 0") < 10
    assert cost("self.list.all(x, x.startsWith('a'))") < 200
    assert cost("self.list.all(x, self.list.all(y, x != y || x == y))") < 5000
    assert cost("self.open.all(x, self.open.all(y, x == y))") > RULE_LIMIT
    assert cost("self.labels.all(k, self.labels[k].matches('^[a-z]+$'))") > RULE_LIMIT
    assert cost("self.list.all(x, x.matches('^[a-z0-9]+(-[a-z0-9]+)*$'))") < 1000


LISTENER = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 253},
        "hostname": {"type": "string", "maxLength": 253},
        "port": {"type": "integer"},
        "protocol": {"type": "string", "maxLength": 255},
    },
}


@pytest.mark.parametrize(
    "rule",
    [
        "self.all(a, self.exists_one(b, a.name == b.name))",
        "self.all(a, self.exists_one(b, a.port == b.port && a.protocol == b.protocol && "
        "(has(a.hostname) && has(b.hostname) ? a.hostname == b.hostname : "
        "!has(a.hostname) && !has(b.hostname))))",
        "self.all(l, l.protocol in ['TCP', 'UDP'] ? (!has(l.hostname) || l.hostname == '') : true)",
    ],
)
def test_rules_that_are_in_wide_use_are_cheap_enough(rule: str) -> None:
    kind = type_of_schema({"type": "array", "maxItems": 64, "items": LISTENER})
    assert kind is not None
    program = compile(rule, variables={"self": kind})
    assert program.estimated_cost < RULE_LIMIT
    listeners = [
        {"name": "a", "port": 80, "protocol": "HTTP"},
        {"name": "b", "port": 443, "protocol": "HTTPS", "hostname": "b.example.com"},
    ]
    assert program.evaluate({"self": listeners}, Budget()) is True
