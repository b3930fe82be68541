"""Flow schemas, priority levels and API services: defaults, and each rule with what breaks it."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.apiregistration import API_SERVICE
from sampan.kubernetes.kinds.flowcontrol.flow_schemas import FLOW_SCHEMA
from sampan.kubernetes.kinds.flowcontrol.priority_levels import PRIORITY_LEVEL_CONFIGURATION
from sampan.kubernetes.kinds.kind import Kind

SUBJECT = {"kind": "User", "user": {"name": "u"}}
RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["d"]}


def _schema(**spec: Any) -> dict[str, Any]:
    return {"spec": {"priorityLevelConfiguration": {"name": "low"}, **spec}}


def _rules(**fields: Any) -> dict[str, Any]:
    return _schema(rules=[{"subjects": [SUBJECT], "resourceRules": [RULE], **fields}])


def _resource_rule(**fields: Any) -> dict[str, Any]:
    return _rules(resourceRules=[{**RULE, **fields}])


def _level(**limited: Any) -> dict[str, Any]:
    response = {"limitResponse": {"type": "Reject"}}
    return {"spec": {"type": "Limited", "limited": {**response, **limited}}}


def _queuing(**fields: int) -> dict[str, Any]:
    return _level(limitResponse={"type": "Queue", "queuing": fields})


def _service(**spec: Any) -> dict[str, Any]:
    given = {
        "group": "b.c",
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "service": {"namespace": "d", "name": "s"},
    }
    merged = {key: value for key, value in {**given, **spec}.items() if value is not None}
    return {"metadata": {"name": "v1.b.c"}, "spec": merged}


SCHEMA, LEVEL = FLOW_SCHEMA, PRIORITY_LEVEL_CONFIGURATION
FIRST = "spec.rules[0].resourceRules[0]"
QUEUING = "spec.limited.limitResponse.queuing"
WRONG: list[tuple[Kind, dict[str, Any], str, str]] = [
    (SCHEMA, _schema(matchingPrecedence=-1), "spec.matchingPrecedence", "positive value"),
    (SCHEMA, _schema(matchingPrecedence=10001), "spec.matchingPrecedence", "greater than 10000"),
    (SCHEMA, _schema(matchingPrecedence=1), "spec.matchingPrecedence", "only the schema named"),
    (
        SCHEMA,
        _schema(distinguisherMethod={"type": "ByMood"}),
        "spec.distinguisherMethod.type",
        "Unsupported value",
    ),
    (
        SCHEMA,
        _schema(priorityLevelConfiguration={}),
        "spec.priorityLevelConfiguration.name",
        "must reference a priority level",
    ),
    (SCHEMA, _rules(subjects=[]), "spec.rules[0].subjects", "at least one value"),
    (SCHEMA, _rules(resourceRules=[]), "spec.rules[0]", "has to be non-empty"),
    (
        SCHEMA,
        _rules(subjects=[{"kind": "User"}]),
        "spec.rules[0].subjects[0].user",
        "user is required when subject kind is 'User'",
    ),
    (
        SCHEMA,
        _rules(subjects=[{**SUBJECT, "group": {"name": "g"}}]),
        "spec.rules[0].subjects[0].group",
        "group is forbidden when subject kind is not 'Group'",
    ),
    (SCHEMA, _resource_rule(verbs=["*", "get"]), f"{FIRST}.verbs", "if '*' is present"),
    (SCHEMA, _resource_rule(verbs=["dance"]), f"{FIRST}.verbs", "Unsupported value"),
    (SCHEMA, _resource_rule(namespaces=[]), f"{FIRST}.namespaces", "at least one namespace"),
    (SCHEMA, _resource_rule(namespaces=["A"]), f"{FIRST}.namespaces[0]", "DNS-1123 label"),
    (
        SCHEMA,
        _rules(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["/a*"]}]),
        "spec.rules[0].nonResourceRules[0].nonResourceURLs[0]",
        "wildcard can only do suffix matching",
    ),
    (LEVEL, {"spec": {"type": "Exempt"}}, "spec.type", "if and only if `name` is 'exempt'"),
    (LEVEL, {"spec": {"type": "Limited"}}, "spec.limited", "must not be empty when type is"),
    (LEVEL, _level(lendablePercent=101), "spec.limited.lendablePercent", "between 0 and 100"),
    (
        LEVEL,
        _level(nominalConcurrencyShares=-1),
        "spec.limited.nominalConcurrencyShares",
        "non-negative integer",
    ),
    (LEVEL, _level(limitResponse={"type": "Queue"}), QUEUING, "must not be empty if"),
    (LEVEL, _queuing(queues=4, handSize=5), f"{QUEUING}.handSize", "greater than queues (4)"),
    (LEVEL, _queuing(queues=1024, handSize=7), f"{QUEUING}.handSize", "required entropy bits"),
    (LEVEL, _queuing(queues=-1), f"{QUEUING}.queues", "must be positive"),
    (API_SERVICE, _service(version="v2"), "metadata.name", 'must be `spec.version+"."+spec.group`'),
    (API_SERVICE, _service(group=None), "metadata.name", '"v1."'),
    (
        API_SERVICE,
        _service(groupPriorityMinimum=20001),
        "spec.groupPriorityMinimum",
        "positive and less than 20000",
    ),
    (API_SERVICE, _service(versionPriority=0), "spec.versionPriority", "less than 1000"),
    (API_SERVICE, _service(service={"name": "s"}), "spec.service.namespace", "Required value"),
    (
        API_SERVICE,
        _service(service=None, insecureSkipTLSVerify=True),
        "spec.insecureSkipTLSVerify",
        "local APIServices may not have insecureSkipTLSVerify",
    ),
    (
        API_SERVICE,
        _service(caBundle="eA==", insecureSkipTLSVerify=True),
        "spec.insecureSkipTLSVerify",
        "may not be true if caBundle is present",
    ),
]


@pytest.mark.parametrize(
    ("kind", "tree", "field", "message"),
    WRONG,
    ids=[f"{kind.resource.kind} {field} {message}" for kind, _, field, message in WRONG],
)
def test_rules(causes: Any, kind: Kind, tree: dict[str, Any], field: str, message: str) -> None:
    assert message in causes(kind, tree).get(field, "")


def test_what_is_right_is_right(causes: Any) -> None:
    for kind, tree in ((SCHEMA, _rules()), (LEVEL, _queuing()), (API_SERVICE, _service())):
        assert causes(kind, tree) == {}


def test_defaults() -> None:
    level = _queuing()
    LEVEL.default(level)
    limited = level["spec"]["limited"]
    assert (limited["nominalConcurrencyShares"], limited["lendablePercent"]) == (30, 0)
    queuing = limited["limitResponse"]["queuing"]
    assert queuing == {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
    schema = _schema()
    SCHEMA.default(schema)
    assert schema["spec"]["matchingPrecedence"] == 1000


def test_the_level_exempt_may_lend(causes: Any) -> None:
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 10, "lendablePercent": 50}}
    assert causes(LEVEL, {"metadata": {"name": "exempt"}, "spec": exempt}) == {}


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        ([], "Unknown"),
        ([{"type": "Available", "status": "True"}], "True"),
        (
            [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}],
            "False (MissingEndpoints)",
        ),
    ],
)
def test_whether_a_service_is_available(conditions: list[Any], shown: str) -> None:
    now: Any = None
    column = next(it for it in API_SERVICE.columns if it.name == "Available")
    assert column.cell({"metadata": {}, "status": {"conditions": conditions}}, now) == shown
