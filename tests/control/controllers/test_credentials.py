"""The controllers that make, use and end credentials."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from sampan.control.controllers import (
    account_tokens,
    bootstrap_signer,
    certificate_approval,
    certificate_cleaning,
    pod_certificate_cleaning,
    token_cleaner,
)
from sampan.control.controllers import plan as plans
from sampan.control.controllers.certificate_signers import SIGNERS
from sampan.control.controllers.identity_views import (
    PodCertificateRequest,
    Secret,
    ServiceAccount,
    SigningRequest,
    SigningRequestSpec,
    SigningRequestStatus,
)
from sampan.control.controllers.views import Condition, ConfigMap
from sampan.foundation.pki.signing_requests import Request
from sampan.kubernetes.kinds.resource import SERVICE_ACCOUNTS
from sampan.kubernetes.machinery.metadata import Metadata

NOW = datetime(2031, 1, 1, tzinfo=UTC)


def encoded(**data):
    named = {key.replace("_", "-"): value for key, value in data.items()}
    return {key: base64.b64encode(value.encode()).decode() for key, value in named.items()}


def metadata(name, namespace="default", **more):
    return Metadata(name=name, namespace=namespace, uid=f"uid-{name}", resource_version="7", **more)


ROBOT = ServiceAccount(metadata("robot"))


def kept(data=None, uid="", name="robot"):
    annotations = {"kubernetes.io/service-account.name": name}
    if uid:
        annotations["kubernetes.io/service-account.uid"] = uid
    return Secret(metadata("token", annotations=annotations), data)


def account_plan(secret, account=ROBOT, answers=None):
    snapshot = account_tokens.Snapshot(secret, account, answers or {}, "CA", json.dumps)
    return account_tokens.plan(snapshot, NOW)


def test_an_empty_secret_gets_all_it_should_hold():
    (patch,) = account_plan(kept()).actions
    assert patch.body["metadata"]["annotations"] == {
        "kubernetes.io/service-account.uid": "uid-robot"
    }
    data = {key: base64.b64decode(value) for key, value in patch.body["data"].items()}
    assert (data["ca.crt"], data["namespace"]) == (b"CA", b"default")
    claims = json.loads(data["token"])
    assert claims["kubernetes.io/serviceaccount/secret.name"] == "token"
    assert claims["kubernetes.io/serviceaccount/service-account.uid"] == "uid-robot"


def test_a_full_secret_is_left_alone_and_an_old_authority_replaced():
    full = encoded(namespace="default", token="t") | {"ca.crt": "Q0E="}
    assert account_plan(kept(full, "uid-robot")).actions == ()
    (patch,) = account_plan(kept(full | {"ca.crt": "b2xk"}, "uid-robot")).actions
    assert patch.body == {"data": {"ca.crt": "Q0E="}}


def test_the_api_is_asked_before_a_secret_without_account_is_deleted():
    question = plans.Get(SERVICE_ACCOUNTS, "robot", "default")
    assert account_plan(kept(), None).reads == (question,)
    head = plans.Head(plans.HeadMetadata(name="robot"))
    assert account_plan(kept(), None, {question: (head,)}) == plans.NOTHING
    (delete,) = account_plan(kept(), None, {question: ()}).actions
    assert isinstance(delete, plans.Delete)
    (delete,) = account_plan(kept(uid="of-an-account-before")).actions
    assert (delete.uid, delete.resource_version) == ("uid-token", "7")


def bootstrap(name="bootstrap-token-abcdef", **data):
    fields = {"token_id": "abcdef", "token_secret": "0123456789abcdef", **data}
    return Secret(metadata(name, "kube-system"), encoded(**fields))


@pytest.mark.parametrize(
    ("expiration", "left"),
    [("2031-01-01T00:00:30Z", 30), ("2031-01-01T00:00:00Z", 0), ("soon", 0)],
)
def test_a_bootstrap_token_goes_in_time(expiration, left):
    plan = token_cleaner.plan(token_cleaner.Snapshot(bootstrap(expiration=expiration)), NOW)
    assert plan.again_after == (left or None)
    assert len(plan.actions) == (0 if left else 1)


def test_a_bootstrap_token_without_end_stays():
    assert token_cleaner.plan(token_cleaner.Snapshot(bootstrap()), NOW) == plans.NOTHING


def test_the_clusters_information_is_signed_with_each_token_that_is_meant_for_it():
    old = {"kubeconfig": "server: here", "jws-kubeconfig-gone00": "x"}
    information = ConfigMap(metadata("cluster-info", "kube-public"), old)
    tokens = (
        bootstrap(usage_bootstrap_signing="true"),
        bootstrap("bootstrap-token-other0", usage_bootstrap_signing="true"),
        bootstrap("bootstrap-token-nosign", token_id="nosign"),
    )
    snapshot = bootstrap_signer.Snapshot(information, tokens)
    (patch,) = bootstrap_signer.plan(snapshot, NOW).actions
    changed = patch.body["data"]
    assert changed.keys() == {"jws-kubeconfig-gone00", "jws-kubeconfig-abcdef"}
    assert changed["jws-kubeconfig-gone00"] is None
    header, payload, mark = changed["jws-kubeconfig-abcdef"].split(".")
    assert payload == ""
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "kid": "abcdef"}
    content = base64.urlsafe_b64encode(b"server: here").rstrip(b"=").decode()
    wanted = hmac.new(b"0123456789abcdef", f"{header}.{content}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(mark + "=") == wanted


def signing(*conditions, certificate="", created="2031-01-01T00:00:00Z"):
    head = Metadata(name="r", uid="u", resource_version="7", creation_timestamp=created)
    status = SigningRequestStatus(certificate, tuple(conditions))
    return SigningRequest(head, SigningRequestSpec("", "kubernetes.io/kubelet-serving"), status)


def condition(kind, changed="2031-01-01T00:00:00Z"):
    return Condition(kind, "True", last_update_time=changed)


@pytest.mark.parametrize(
    ("request_", "hours"),
    [
        (signing(), 24),
        (signing(condition("Approved")), 24),
        (signing(condition("Approved"), certificate="bm90aGluZw=="), 1),
        (signing(condition("Denied")), 1),
        (signing(condition("Denied", "2031-01-01T05:00:00Z")), 6),
        (signing(condition("Approved"), condition("Failed")), 1),
    ],
)
def test_settled_requests_go_sooner_than_open_ones(request_, hours):
    assert certificate_cleaning.end_of(request_) == NOW + timedelta(hours=hours)
    plan = certificate_cleaning.plan(certificate_cleaning.Snapshot(request_), NOW)
    assert plan.again_after == hours * 3600
    later = NOW + timedelta(hours=hours)
    (delete,) = certificate_cleaning.plan(certificate_cleaning.Snapshot(request_), later).actions
    assert delete.resource_version == "7"


def test_requests_of_pods_go_after_a_quarter_of_an_hour():
    made = Metadata("web-1", "shop", "u", creation_timestamp="2031-01-01T00:00:00Z")
    snapshot = pod_certificate_cleaning.Snapshot(PodCertificateRequest(made))
    assert pod_certificate_cleaning.plan(snapshot, NOW).again_after == 900
    (delete,) = pod_certificate_cleaning.plan(snapshot, NOW + timedelta(minutes=15)).actions
    assert (delete.namespace, delete.name, delete.uid) == ("shop", "web-1", "u")


NODE = {"organizations": ("system:nodes",), "common_name": "system:node:n1"}
LEAST = ("digital signature",)


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "problem"),
    [
        ("kube-apiserver-client", {}, ("client auth",), ""),
        ("kube-apiserver-client", {}, LEAST, "missing required usage"),
        ("kube-apiserver-client", {}, ("client auth", "server auth"), "invalid usage"),
        ("kube-apiserver-client-kubelet", {}, (*LEAST, "client auth"), ""),
        ("kube-apiserver-client-kubelet", {"dns_names": ("a",)}, (), "DNS"),
        ("kube-apiserver-client-kubelet", {"addresses": ("a",)}, (), "IP"),
        ("kube-apiserver-client-kubelet", {"uris": ("a",)}, (), "URI"),
        ("kube-apiserver-client-kubelet", {"emails": ("a",)}, (), "Email"),
        ("kube-apiserver-client-kubelet", {"organizations": ()}, (), "organization"),
        ("kube-apiserver-client-kubelet", {"common_name": "n1"}, (), "common name"),
        ("kube-apiserver-client-kubelet", {}, ("client auth",), "usages did not match"),
        ("kubelet-serving", {"dns_names": ("n1",)}, (*LEAST, "server auth"), ""),
        (
            "kubelet-serving",
            {"addresses": ("10.0.0.1",)},
            (*LEAST, "key encipherment", "server auth"),
            "",
        ),
        ("kubelet-serving", {}, (*LEAST, "server auth"), "DNS or IP"),
        ("kubelet-serving", {"dns_names": ("n1",)}, (*LEAST, "client auth"), "usages"),
    ],
)
def test_each_signer_has_its_demands(signer, asked, usages, problem):
    found = SIGNERS[f"kubernetes.io/{signer}"](Request(**(NODE | asked)), usages)
    assert problem in found
    assert bool(found) is bool(problem)


def test_what_is_no_request_is_neither_asked_about_nor_approved():
    spec = SigningRequestSpec("bm90aGluZw==", "kubernetes.io/kube-apiserver-client-kubelet")
    request = SigningRequest(Metadata(name="r"), spec)
    snapshot = certificate_approval.Snapshot(request, {})
    assert certificate_approval.plan(snapshot, NOW) == plans.NOTHING
