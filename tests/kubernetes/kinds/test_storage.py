"""The kinds of storage.k8s.io: defaults, and each rule with an object that breaks it."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.storage.drivers import CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY
from sampan.kubernetes.kinds.storage.storage_classes import (
    STORAGE_CLASS,
    VOLUME_ATTRIBUTES_CLASS,
)
from sampan.kubernetes.kinds.storage.volume_attachments import VOLUME_ATTACHMENT
from sampan.kubernetes.kinds.storage_migrations import STORAGE_VERSION_MIGRATION

DRIVER = {"name": "d.example.com", "nodeID": "n"}
ATTACHMENT = {
    "attacher": "d.example.com",
    "nodeName": "n",
    "source": {"persistentVolumeName": "v"},
}


def _class(**fields: Any) -> dict[str, Any]:
    return {"provisioner": "example.com/disk", **fields}


def _node(**fields: Any) -> dict[str, Any]:
    return {"spec": {"drivers": [{**DRIVER, **fields}]}}


def _attachment(**fields: Any) -> dict[str, Any]:
    return {"spec": {**ATTACHMENT, **fields}}


def _driver(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


EXPRESSION = {"key": "zone", "values": ["a"]}
WRONG: list[tuple[Kind, dict[str, Any], str, str]] = [
    (STORAGE_CLASS, {}, "provisioner", "Required value"),
    (STORAGE_CLASS, {"provisioner": "a b"}, "provisioner", "name part must consist"),
    (STORAGE_CLASS, _class(reclaimPolicy="Recycle"), "reclaimPolicy", '"Delete", "Retain"'),
    (STORAGE_CLASS, _class(volumeBindingMode="Later"), "volumeBindingMode", "Unsupported value"),
    (STORAGE_CLASS, _class(parameters={"": "x"}), "parameters", "field can not be empty."),
    (
        STORAGE_CLASS,
        _class(allowedTopologies=[{"matchLabelExpressions": [{"key": "zone"}]}]),
        "allowedTopologies[0].matchLabelExpressions[0].values",
        "Required value",
    ),
    (
        STORAGE_CLASS,
        _class(allowedTopologies=[{"matchLabelExpressions": [EXPRESSION]}] * 2),
        "allowedTopologies[1].matchLabelExpressions",
        "Duplicate value",
    ),
    (VOLUME_ATTRIBUTES_CLASS, {"driverName": "d"}, "parameters", "at least one key/value pair"),
    (VOLUME_ATTRIBUTES_CLASS, {"parameters": {"a": "b"}}, "driverName", "Required value"),
    (CSI_DRIVER, _driver(fsGroupPolicy="Some"), "spec.fsGroupPolicy", "Unsupported value"),
    (
        CSI_DRIVER,
        _driver(tokenRequests=[{"audience": ""}, {"audience": ""}]),
        "spec.tokenRequests[1].audience",
        "Duplicate value",
    ),
    (
        CSI_DRIVER,
        _driver(tokenRequests=[{"audience": "", "expirationSeconds": 9}]),
        "spec.tokenRequests[0].expirationSeconds",
        "less than 10 minutes",
    ),
    (
        CSI_DRIVER,
        _driver(volumeLifecycleModes=["Brief"]),
        "spec.volumeLifecycleModes",
        "Unsupported value",
    ),
    (
        CSI_DRIVER,
        _driver(nodeAllocatableUpdatePeriodSeconds=9),
        "spec.nodeAllocatableUpdatePeriodSeconds",
        "greater than or equal to 10 seconds",
    ),
    (CSI_NODE, _node(nodeID=""), "spec.drivers[0].nodeID", "Required value"),
    (CSI_NODE, _node(nodeID="x" * 257), "spec.drivers[0].nodeID", "256 characters or less"),
    (CSI_NODE, _node(name="x" * 64), "spec.drivers[0].name", "Too long"),
    (CSI_NODE, _node(topologyKeys=["a", "a"]), "spec.drivers[0]", "Duplicate value"),
    (CSI_NODE, _node(allocatable={"count": -1}), "spec.drivers[0].allocatable.count", "0"),
    (CSI_NODE, {"spec": {"drivers": [DRIVER, DRIVER]}}, "spec.drivers[1].name", "Duplicate"),
    (CSI_STORAGE_CAPACITY, {"storageClassName": "A"}, "storageClassName", "lowercase RFC 1123"),
    (
        CSI_STORAGE_CAPACITY,
        {"storageClassName": "a", "capacity": "-1"},
        "capacity",
        "must be greater than or equal to 0",
    ),
    (VOLUME_ATTACHMENT, _attachment(source={}), "spec.source", "exactly one of"),
    (VOLUME_ATTACHMENT, _attachment(attacher=""), "spec.attacher", "Required value"),
    (
        VOLUME_ATTACHMENT,
        _attachment(source={"persistentVolumeName": "v", "inlineVolumeSpec": {}}),
        "spec.source",
        "Forbidden",
    ),
    (STORAGE_VERSION_MIGRATION, {"spec": {"resource": {}}}, "spec.resource.resource", "Required"),
]


@pytest.mark.parametrize(
    ("kind", "tree", "field", "message"),
    WRONG,
    ids=[f"{kind.resource.kind} {field} {message}" for kind, _, field, message in WRONG],
)
def test_rules(causes: Any, kind: Kind, tree: dict[str, Any], field: str, message: str) -> None:
    assert message in causes(kind, tree).get(field, "")


KEPT: list[tuple[Kind, dict[str, Any], dict[str, Any], str]] = [
    (STORAGE_CLASS, _class(), _class(parameters={"a": "b"}), "parameters"),
    (STORAGE_CLASS, _class(), {"provisioner": "example.com/other"}, "provisioner"),
    (STORAGE_CLASS, _class(), _class(reclaimPolicy="Retain"), "reclaimPolicy"),
    (
        STORAGE_CLASS,
        _class(),
        _class(volumeBindingMode="WaitForFirstConsumer"),
        "volumeBindingMode",
    ),
    (CSI_DRIVER, _driver(), _driver(attachRequired=False), "spec.attachedRequired"),
    (CSI_NODE, _node(), _node(nodeID="m"), "spec.drivers"),
    (VOLUME_ATTACHMENT, _attachment(), _attachment(nodeName="m"), "spec"),
    (
        CSI_STORAGE_CAPACITY,
        {"storageClassName": "a"},
        {"storageClassName": "b"},
        "storageClassName",
    ),
]


@pytest.mark.parametrize(("kind", "old", "new", "field"), KEPT)
def test_what_stays(
    causes: Any, kind: Kind, old: dict[str, Any], new: dict[str, Any], field: str
) -> None:
    assert field in causes(kind, new, old)
    assert causes(kind, old, old) == {}


def test_what_may_change(causes: Any) -> None:
    assert causes(STORAGE_CLASS, _class(allowVolumeExpansion=True), _class()) == {}
    assert causes(CSI_NODE, _node(allocatable={"count": 9}), _node()) == {}
    assert causes(CSI_DRIVER, _driver(podInfoOnMount=True), _driver()) == {}


def test_defaults() -> None:
    made: dict[str, Any] = {}
    STORAGE_CLASS.default(made)
    assert made == {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}
    driver: dict[str, Any] = {"spec": {}}
    CSI_DRIVER.default(driver)
    assert driver["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "requiresRepublish": False,
        "seLinuxMount": False,
        "volumeLifecycleModes": ["Persistent"],
    }


def test_the_default_class_is_marked() -> None:
    name = STORAGE_CLASS.columns[0].cell
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    now: Any = None
    assert name({"metadata": {"name": "a"}}, now) == "a"
    assert name({"metadata": {"name": "a", "annotations": annotations}}, now) == "a (default)"
