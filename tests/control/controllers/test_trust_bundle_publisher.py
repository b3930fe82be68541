"""The bundle of the API server's authority: made, set right, and followed by another."""

from datetime import UTC, datetime

import msgspec

from sampan.control.controllers import trust_bundle_publisher as publishing
from sampan.control.controllers.identity_views import TrustBundle
from sampan.control.controllers.plan import Create, Delete, Update

NOW = datetime(2031, 1, 1, tzinfo=UTC)


def bundle(name, content):
    metadata = {"name": name, "uid": f"u-{name}", "resourceVersion": "7"}
    return msgspec.convert({"metadata": metadata, "spec": {"trustBundle": content}}, TrustBundle)


def planned(*bundles, certificate="AUTHORITY"):
    return publishing.plan(publishing.Snapshot(bundles, certificate), NOW).actions


def created(**options):
    (create,) = planned(**options)
    assert isinstance(create, Create)
    return create.body


def test_it_is_named_for_its_signer_and_by_what_is_in_it():
    body = created()
    assert body["metadata"]["name"].startswith("kubernetes.io:kube-apiserver-serving:")
    assert body["spec"] == {
        "signerName": "kubernetes.io/kube-apiserver-serving",
        "trustBundle": "AUTHORITY",
    }
    assert created(certificate="ANOTHER")["metadata"]["name"] != body["metadata"]["name"]


def test_what_is_right_is_left_alone():
    assert planned(bundle(created()["metadata"]["name"], "AUTHORITY")) == ()


def test_what_somebody_changed_is_set_right():
    (update,) = planned(bundle(created()["metadata"]["name"], "FORGED"))
    assert isinstance(update, Update)
    assert update.body["spec"]["trustBundle"] == "AUTHORITY"
    assert update.body["metadata"]["resourceVersion"] == "7"


def test_those_of_authorities_before_are_taken_away():
    create, delete = planned(bundle("kubernetes.io:kube-apiserver-serving:old", "OLD"))
    assert isinstance(create, Create)
    assert isinstance(delete, Delete)
    assert delete.uid == "u-kubernetes.io:kube-apiserver-serving:old"
