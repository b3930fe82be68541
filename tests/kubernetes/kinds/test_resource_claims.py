"""The kinds of resource.k8s.io: defaults, and each rule with an object that breaks it."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource_claims.claims import (
    RESOURCE_CLAIM,
    RESOURCE_CLAIM_TEMPLATE,
)
from sampan.kubernetes.kinds.resource_claims.devices import (
    DEVICE_CLASS,
    DEVICE_TAINT_RULE,
    RESOURCE_SLICE,
)

REQUEST = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}


def _claim(*requests: dict[str, Any], **devices: Any) -> dict[str, Any]:
    return {"spec": {"devices": {"requests": list(requests or [REQUEST]), **devices}}}


def _exactly(**fields: Any) -> dict[str, Any]:
    return _claim({"name": "gpu", "exactly": {"deviceClassName": "gpu", **fields}})


def _slice(*devices: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    given = {"driver": "a.b", "nodeName": "n", "pool": pool, "devices": list(devices)}
    return {"spec": {**given, **spec}}


REQUESTS = "spec.devices.requests[0]"
WRONG: list[tuple[Kind, dict[str, Any], str, str]] = [
    (RESOURCE_CLAIM, _claim({"name": "a"}), REQUESTS, "exactly one of"),
    (
        RESOURCE_CLAIM,
        _claim({**REQUEST, "firstAvailable": [{"name": "b", "deviceClassName": "c"}]}),
        REQUESTS,
        "multiple fields are set",
    ),
    (RESOURCE_CLAIM, _claim({**REQUEST, "name": "A"}), f"{REQUESTS}.name", "lowercase RFC 1123"),
    (RESOURCE_CLAIM, _claim(REQUEST, REQUEST), "spec.devices.requests[1].name", "Duplicate"),
    (
        RESOURCE_CLAIM,
        _exactly(allocationMode="All", count=2),
        f"{REQUESTS}.exactly.count",
        "must not be specified when allocationMode is 'All'",
    ),
    (
        RESOURCE_CLAIM,
        _exactly(allocationMode="Some"),
        f"{REQUESTS}.exactly.allocationMode",
        "Unsupported value",
    ),
    (RESOURCE_CLAIM, _exactly(count=-1), f"{REQUESTS}.exactly.count", "greater than zero"),
    (
        RESOURCE_CLAIM,
        _exactly(selectors=[{}]),
        f"{REQUESTS}.exactly.selectors[0].cel",
        "Required value",
    ),
    (
        RESOURCE_CLAIM,
        _claim(constraints=[{"requests": ["x"], "matchAttribute": "a.b/c"}]),
        "spec.devices.constraints[0].requests[0]",
        "must be the name of a request in the claim",
    ),
    (
        RESOURCE_CLAIM,
        _claim(constraints=[{"matchAttribute": "c"}]),
        "spec.devices.constraints[0].matchAttribute",
        "must include a domain",
    ),
    (
        RESOURCE_CLAIM,
        _claim(config=[{"opaque": {"driver": "a.b", "parameters": [1]}}]),
        "spec.devices.config[0].opaque.parameters",
        "must be a valid JSON object",
    ),
    (
        RESOURCE_CLAIM,
        _claim(*({**REQUEST, "name": f"r{index}"} for index in range(33))),
        "spec.devices.requests",
        "Too many: 33: must have at most 32 items",
    ),
    (
        RESOURCE_CLAIM_TEMPLATE,
        {"spec": {"spec": {"devices": {"requests": [{"name": "a"}]}}}},
        "spec.spec.devices.requests[0]",
        "exactly one of",
    ),
    (
        DEVICE_CLASS,
        {"spec": {"selectors": [{"cel": {"expression": ""}}]}},
        "spec.selectors[0].cel.expression",
        "Required value",
    ),
    (DEVICE_CLASS, {"spec": {"config": [{}]}}, "spec.config[0].opaque", "Required value"),
    (
        DEVICE_TAINT_RULE,
        {"spec": {"taint": {"key": "a", "effect": "Never"}}},
        "spec.taint.effect",
        "Unsupported value",
    ),
    (RESOURCE_SLICE, _slice(allNodes=True), "spec", "exactly one of"),
    (RESOURCE_SLICE, _slice(driver=""), "spec.driver", "Required value"),
    (
        RESOURCE_SLICE,
        _slice(pool={"name": "P", "generation": 1, "resourceSliceCount": 1}),
        "spec.pool.name",
        "lowercase RFC 1123",
    ),
    (
        RESOURCE_SLICE,
        _slice(pool={"name": "p", "generation": 1, "resourceSliceCount": 0}),
        "spec.pool.resourceSliceCount",
        "greater than zero",
    ),
    (RESOURCE_SLICE, _slice({"name": "a"}, {"name": "a"}), "spec.devices[1].name", "Duplicate"),
    (
        RESOURCE_SLICE,
        _slice({"name": "a", "attributes": {"x": {"int": 1, "bool": True}}}),
        "spec.devices[0].attributes[x]",
        "exactly one value must be specified",
    ),
    (
        RESOURCE_SLICE,
        _slice({"name": "a", "attributes": {"a b": {"int": 1}}}),
        "spec.devices[0].attributes",
        "a valid C identifier",
    ),
]


@pytest.mark.parametrize(
    ("kind", "tree", "field", "message"),
    WRONG,
    ids=[f"{kind.resource.kind} {message}" for kind, _, _, message in WRONG],
)
def test_rules(causes: Any, kind: Kind, tree: dict[str, Any], field: str, message: str) -> None:
    assert message in causes(kind, tree).get(field, "")


def test_one_device_is_asked_for_by_default() -> None:
    claim = _claim({"name": "gpu", "exactly": {"deviceClassName": "gpu"}})
    RESOURCE_CLAIM.default(claim)
    exactly = claim["spec"]["devices"]["requests"][0]["exactly"]
    assert (exactly["allocationMode"], exactly["count"]) == ("ExactCount", 1)


def test_a_claim_stays_as_it_was_made(causes: Any) -> None:
    assert causes(RESOURCE_CLAIM, _claim(), _claim()) == {}
    assert "spec" in causes(RESOURCE_CLAIM, _exactly(count=2), _claim())


RESULT = {"request": "gpu", "driver": "a.b", "pool": "p", "device": "d"}
ALLOCATION = {"devices": {"results": [RESULT]}}
POD = {"resource": "pods", "name": "web", "uid": "1"}


@pytest.mark.parametrize(
    ("status", "field", "message"),
    [
        ({"allocation": ALLOCATION, "reservedFor": [POD]}, "", ""),
        ({"reservedFor": [POD]}, "status.reservedFor", "may not be specified"),
        (
            {"allocation": ALLOCATION, "reservedFor": [POD, POD]},
            "status.reservedFor[1].uid",
            "Duplicate value",
        ),
        (
            {"allocation": {"devices": {"results": [{**RESULT, "request": "x"}]}}},
            "status.allocation.devices.results[0].request",
            "must be the name of a request",
        ),
        (
            {"allocation": ALLOCATION, "devices": [{**RESULT, "device": "other"}]},
            "status.devices[0]",
            "must be an allocated device in the claim",
        ),
    ],
)
def test_rules_of_a_claims_status(
    causes: Any, status: dict[str, Any], field: str, message: str
) -> None:
    found = causes(RESOURCE_CLAIM, {**_claim(), "status": status}, _claim(), "status")
    assert message in found[field] if field else found == {}


def test_an_allocation_is_kept_until_it_is_given_up(causes: Any) -> None:
    old = {**_claim(), "status": {"allocation": ALLOCATION}}
    other = {"devices": {"results": [{**RESULT, "device": "e"}]}}
    changed = {**_claim(), "status": {"allocation": other}}
    assert "status.allocation" in causes(RESOURCE_CLAIM, changed, old, "status")
    assert causes(RESOURCE_CLAIM, {**_claim(), "status": {}}, old, "status") == {}


@pytest.mark.parametrize(
    ("claim", "state"),
    [
        ({}, "pending"),
        ({"status": {"allocation": ALLOCATION}}, "allocated"),
        ({"status": {"allocation": ALLOCATION, "reservedFor": [POD]}}, "allocated,reserved"),
        ({"metadata": {"deletionTimestamp": "now"}}, "deleted"),
    ],
)
def test_the_state_is_told_in_a_word(claim: dict[str, Any], state: str) -> None:
    now: Any = None
    assert RESOURCE_CLAIM.columns[1].cell({"metadata": {}, **claim}, now) == state
