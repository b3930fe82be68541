"""PersistentVolumes, claims to them, and Endpoints."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.core.endpoints import ENDPOINTS_KIND
from sampan.kubernetes.kinds.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIM
from sampan.kubernetes.kinds.core.persistent_volumes import PERSISTENT_VOLUME
from sampan.kubernetes.kinds.kind import Kind

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def _volume(**spec: Any) -> dict[str, Any]:
    given = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/data"},
        **spec,
    }
    given = {key: value for key, value in given.items() if value is not None}
    volume = {"kind": "PersistentVolume", "metadata": {"name": "a"}, "spec": given}
    PERSISTENT_VOLUME.default(volume)
    return volume


def _claim(size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    given = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        **spec,
    }
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "a", "namespace": "d"},
        "spec": given,
    }
    PERSISTENT_VOLUME_CLAIM.default(claim)
    return claim


def _causes(kind: Kind, new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in kind.validate(new, old)}


def test_defaults() -> None:
    spec = _volume()["spec"]
    assert (spec["persistentVolumeReclaimPolicy"], spec["volumeMode"]) == ("Retain", "Filesystem")
    assert spec["hostPath"] == {"path": "/data", "type": ""}
    assert _claim()["spec"]["volumeMode"] == "Filesystem"
    volume = _volume()
    volume["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    PERSISTENT_VOLUME.prepare(volume, None)
    assert volume["status"] == {
        "phase": "Pending",
        "lastPhaseTransitionTime": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"capacity": {}}, "spec.capacity", "Required value"),
        ({"capacity": {"storage": "0"}}, "spec.capacity[storage]", None),
        (
            {"capacity": {"storage": "1", "cpu": "1"}},
            "spec.capacity",
            'Unsupported value: {"storage":"1","cpu":"1"}: supported values: "storage"',
        ),
        (
            {"accessModes": []},
            "spec.accessModes",
            "Required value: at least 1 access mode is required",
        ),
        ({"accessModes": ["Often"]}, "spec.accessModes", None),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
            "spec.accessModes",
            "Forbidden: may not use ReadWriteOncePod with other access modes",
        ),
        ({"hostPath": None}, "spec", "Required value: must specify a volume type"),
        (
            {"nfs": {"server": "a", "path": "/b"}},
            "spec.nfs",
            "Forbidden: may not specify more than 1 volume type",
        ),
        ({"hostPath": {"path": "/a/../b"}}, "spec.hostPath.path", None),
        ({"hostPath": {"path": "/a", "type": "Magic"}}, "spec.hostPath.type", None),
        (
            {"hostPath": None, "local": {"path": "/a"}},
            "spec.nodeAffinity",
            "Required value: Local volume requires node affinity",
        ),
        (
            {"hostPath": None, "nfs": {"server": "a", "path": "b"}},
            "spec.nfs.path",
            'Invalid value: "b": must be an absolute path',
        ),
        ({"hostPath": None, "csi": {"driver": "a"}}, "spec.csi.volumeHandle", "Required value"),
        (
            {"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"},
            "spec.persistentVolumeReclaimPolicy",
            None,
        ),
        ({"volumeMode": "Tape"}, "spec.volumeMode", None),
        ({"storageClassName": "A b"}, "spec.storageClassName", None),
        ({"nodeAffinity": {}}, "spec.nodeAffinity.required", None),
    ],
)
def test_rules_of_volumes(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(PERSISTENT_VOLUME, _volume(**spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_the_source_of_a_volume_stays() -> None:
    old = _volume()
    assert _causes(PERSISTENT_VOLUME, _volume(capacity={"storage": "2Gi"}), old) == {}
    causes = _causes(PERSISTENT_VOLUME, _volume(hostPath={"path": "/other"}), old)
    assert causes == {
        "spec.persistentvolumesource": "Forbidden: spec.persistentvolumesource is immutable "
        "after creation"
    }


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"resources": {}}, "spec.resources[storage]", "Required value"),
        (
            {"resources": {"requests": {"storage": "0"}}},
            "spec.resources[storage]",
            'Invalid value: "0": must be greater than zero',
        ),
        ({"accessModes": []}, "spec.accessModes", None),
        (
            {"dataSource": {"kind": "Thing", "name": "a"}},
            "spec.dataSource",
            "Invalid value: \"Thing\": must be 'PersistentVolumeClaim' when referencing the "
            "default apiGroup",
        ),
        ({"selector": {"matchLabels": {"a b": "c"}}}, "spec.selector.matchLabels", None),
    ],
)
def test_rules_of_claims(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(PERSISTENT_VOLUME_CLAIM, _claim(**spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_a_source_is_named_in_both_fields() -> None:
    source = {"kind": "VolumeSnapshot", "apiGroup": "snapshot.storage.k8s.io", "name": "s"}
    claim = _claim(dataSource=source)
    PERSISTENT_VOLUME_CLAIM.prepare(claim, None)
    assert claim["spec"]["dataSourceRef"] == source
    assert claim["status"] == {"phase": "Pending"}
    assert _causes(PERSISTENT_VOLUME_CLAIM, claim) == {}


def test_a_bound_claim_may_grow() -> None:
    old = _claim("1Gi", volumeName="v")
    old["status"] = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    grown, shrunk = _claim("2Gi", volumeName="v"), _claim("1Mi", volumeName="v")
    moved = _claim("1Gi", volumeName="w")
    assert _causes(PERSISTENT_VOLUME_CLAIM, grown, old) == {}
    assert _causes(PERSISTENT_VOLUME_CLAIM, shrunk, old) == {
        "spec.resources.requests.storage": "Forbidden: field can not be less than status.capacity"
    }
    assert _causes(PERSISTENT_VOLUME_CLAIM, moved, old)["spec"].startswith(
        "Forbidden: spec is immutable after creation except resources.requests"
    )


def test_a_pending_claim_is_bound_once() -> None:
    old = _claim()
    assert _causes(PERSISTENT_VOLUME_CLAIM, _claim(volumeName="v"), old) == {}
    assert "spec" in _causes(PERSISTENT_VOLUME_CLAIM, _claim("2Gi"), old)


def test_columns() -> None:
    claim = _claim(volumeName="v", storageClassName="fast")
    claim["status"] = {
        "phase": "Bound",
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadOnlyMany", "ReadWriteOnce"],
    }
    cells = [column.cell(claim, NOW) for column in PERSISTENT_VOLUME_CLAIM.columns]
    assert cells == [
        "a", "Bound", "v", "1Gi", "RWO,ROX", "fast", "<unset>", "<unknown>", "Filesystem",
    ]  # fmt: skip
    volume = _volume(claimRef={"namespace": "d", "name": "a"})
    cells = [column.cell(volume, NOW) for column in PERSISTENT_VOLUME.columns]
    assert cells[1:6] == ["1Gi", "RWO", "Retain", "", "d/a"]


def _endpoints(*subsets: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "d"}
    endpoints = {"kind": "Endpoints", "metadata": metadata, "subsets": list(subsets)}
    ENDPOINTS_KIND.default(endpoints)
    return endpoints


@pytest.mark.parametrize(
    ("subset", "field", "message"),
    [
        ({}, "", "Required value: must specify `addresses` or `notReadyAddresses`"),
        ({"addresses": [{"ip": "x"}]}, "addresses[0].ip", None),
        (
            {"addresses": [{"ip": "127.0.0.1"}]},
            "addresses[0].ip",
            'Invalid value: "127.0.0.1": may not be in the loopback range',
        ),
        ({"notReadyAddresses": [{"ip": "169.254.1.1"}]}, "notReadyAddresses[0].ip", None),
        (
            {"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 1}, {"port": 2}]},
            "ports[1].name",
            "Required value",
        ),
        ({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 0}]}, "ports[0].port", None),
    ],
)
def test_rules_of_endpoints(subset: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(ENDPOINTS_KIND, _endpoints(subset))
    path = f"subsets[0].{field}".removesuffix(".")
    assert path in causes
    assert message is None or causes[path] == message


def test_the_first_endpoints_are_shown() -> None:
    addresses = [{"ip": f"10.0.0.{index}"} for index in range(1, 6)]
    endpoints = _endpoints({"addresses": addresses, "ports": [{"port": 80}]})
    assert _causes(ENDPOINTS_KIND, endpoints) == {}
    assert endpoints["subsets"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert [column.cell(endpoints, NOW) for column in ENDPOINTS_KIND.columns][1] == (
        "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."
    )
