"""Which certificates a volume of trust bundles holds."""

import msgspec
import pytest

from sampan.node.cluster_view import TrustBundle
from sampan.node.pod_view import TrustProjection
from sampan.node.references import MissingReference
from sampan.node.volumes.trust_anchors import trust_anchors

SIGNER = "example.com/signer"


def pem(content):
    return f"-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n"


def bundle(name, *contents, signer="", **labels):
    spec = {"trustBundle": "a remark\n" + "".join(map(pem, contents)), "signerName": signer}
    return msgspec.convert(
        {"metadata": {"name": name, "labels": labels}, "spec": spec}, TrustBundle
    )


BUNDLES = [
    bundle("alone", "AAAA", "BBBB"),
    bundle("example.com:signer:new", "CCCC", "AAAA", signer=SIGNER, age="new"),
    bundle("example.com:signer:old", "DDDD", "CCCC", signer=SIGNER, age="old"),
    bundle("example.com:other:new", "EEEE", signer="example.com/other", age="new"),
]


def anchors(**source):
    raw = {"path": "ca.pem", **source}
    return trust_anchors(msgspec.convert(raw, TrustProjection), BUNDLES).decode()


def test_one_bundle_by_its_name_without_what_stands_between():
    assert anchors(name="alone") == pem("AAAA") + pem("BBBB")


def test_all_of_a_signer_each_certificate_once():
    assert anchors(signerName=SIGNER, labelSelector={}) == pem("AAAA") + pem("CCCC") + pem("DDDD")


def test_those_of_a_signer_that_a_selector_matches():
    selector = {"matchExpressions": [{"key": "age", "operator": "NotIn", "values": ["new"]}]}
    assert anchors(signerName=SIGNER, labelSelector=selector) == pem("CCCC") + pem("DDDD")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"name": "none"}, '"none" not found'),
        ({"signerName": SIGNER}, "matched zero"),
        ({"signerName": SIGNER, "labelSelector": {"matchLabels": {"age": "none"}}}, "matched zero"),
        ({"signerName": "example.com/none", "labelSelector": {}}, "matched zero"),
    ],
)
def test_nothing_found_is_an_error_unless_optional(source, message):
    with pytest.raises(MissingReference, match=message):
        anchors(**source)
    assert anchors(**source, optional=True) == ""


def test_long_certificates_are_wrapped():
    (found,) = [bundle("long", "A" * 100)]
    source = msgspec.convert({"path": "p", "name": "long"}, TrustProjection)
    lines = trust_anchors(source, [found]).decode().splitlines()
    assert [len(line) for line in lines[1:-1]] == [64, 36]
