"""Certificates of pods and the bundles that they trust, in real containers, with a signer of
the test's own."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.real.harness import Cluster, eventually

pytestmark = pytest.mark.real

SIGNER = "example.com/workloads"
PATH_ANNOTATION = "example.com/spiffe-path"
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: identities}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: hello:1
      command: {command}
      volumeMounts: [{{name: identity, mountPath: /identity}}]
  volumes:
    - name: identity
      projected:
        sources: {sources}
"""
IDLE = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
SERVER = """
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/identity/bundle.pem')
context.load_verify_locations('/identity/roots.pem')
context.verify_mode = ssl.CERT_REQUIRED
listener = socket.create_server(('0.0.0.0', 8443))
while True:
    plain, _ = listener.accept()
    try:
        with context.wrap_socket(plain, server_side=True) as secured:
            names = secured.getpeercert()['subjectAltName']
            secured.sendall(repr(names).encode())
    except OSError:
        plain.close()
"""
CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile='/identity/roots.pem')
if sys.argv[2] == 'known':
    context.load_cert_chain('/identity/bundle.pem')
with socket.create_connection((sys.argv[1], 8443), 5) as plain:
    with context.wrap_socket(plain, server_hostname='server') as secured:
        print(secured.recv(1000).decode())
"""


class Signer(threading.Thread):
    """Answers the requests of the namespace until it is told to stop."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "workloads")])
        self._ended = threading.Event()
        self.root = self._root()

    def _root(self) -> str:
        now = datetime.now(UTC)
        authority = x509.BasicConstraints(ca=True, path_length=None)
        certificate = (
            self._builder(now, now + timedelta(days=1))
            .subject_name(self._name)
            .public_key(self._key.public_key())
            .add_extension(authority, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM).decode()

    def _builder(self, start: datetime, end: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().issuer_name(self._name)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(start).not_valid_after(end)

    def run(self) -> None:
        while not self._ended.wait(0.2):
            found = self._cluster.get("podcertificaterequests", "-n", "identities")
            for request in (found or {"items": []})["items"]:
                if not request.get("status", {}).get("conditions"):
                    self._answer(request)

    def _answer(self, request: Any) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        end = now + timedelta(seconds=request["spec"]["maxExpirationSeconds"])
        issued = {
            "type": "Issued",
            "status": "True",
            "reason": "Granted",
            "message": "by the test",
            "lastTransitionTime": now.isoformat().replace("+00:00", "Z"),
        }
        times = {"notBefore": now, "beginRefreshAt": end - timedelta(minutes=10), "notAfter": end}
        status = {name: time.isoformat().replace("+00:00", "Z") for name, time in times.items()}
        status |= {"certificateChain": self._sign(request["spec"], now, end)}
        name, patch = request["metadata"]["name"], {"status": {**status, "conditions": [issued]}}
        answer = self._cluster.kubectl(
            *("patch", "podcertificaterequest", name, "-n", "identities", "--type=merge"),
            *("--subresource=status", "-p", json.dumps(patch)),
        )
        assert answer.returncode == 0, answer.stderr

    def _sign(self, spec: Any, start: datetime, end: datetime) -> str:
        stub = x509.load_der_x509_csr(base64.b64decode(spec["stubPKCS10Request"]))
        names: list[x509.GeneralName] = [x509.DNSName(spec["podName"])]
        path = spec.get("unverifiedUserAnnotations", {}).get(PATH_ANNOTATION)
        if path:
            names.append(x509.UniformResourceIdentifier(f"spiffe://cluster.local{path}"))
        certificate = (
            self._builder(start, end)
            .subject_name(x509.Name([]))
            .public_key(stub.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM).decode()

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.fixture(scope="module")
def signed(cluster: Cluster) -> Iterator[Cluster]:
    """A namespace whose pods get certificates, and the bundle of their signer."""
    assert cluster.kubectl("create", "namespace", "identities").returncode == 0
    signer = Signer(cluster)
    publish(cluster, "example.com:workloads:root", signer.root, SIGNER, app="identities")
    signer.start()
    yield cluster
    signer.end()
    assert cluster.kubectl("delete", "namespace", "identities", "--timeout=30s").returncode == 0
    cluster.kubectl("delete", "clustertrustbundles", "--all")


def publish(cluster: Cluster, bundle: str, root: str, signer: str = "", **labels: str) -> None:
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle"}
    spec = {"trustBundle": root} | ({"signerName": signer} if signer else {})
    metadata = {"name": bundle, "labels": labels}
    cluster.apply(json.dumps(kind | {"metadata": metadata, "spec": spec}))


def certificate(**source: Any) -> dict[str, Any]:
    own = {"signerName": SIGNER, "keyType": "ECDSAP256", "credentialBundlePath": "bundle.pem"}
    return {"podCertificate": own | source}


def trust(**source: Any) -> dict[str, Any]:
    return {"clusterTrustBundle": {"path": "roots.pem"} | source}


ROOTS = trust(signerName=SIGNER, labelSelector={"matchLabels": {"app": "identities"}})


def start(cluster: Cluster, name: str, *sources: dict[str, Any], command: Any = None) -> None:
    whole = json.dumps(command or IDLE)
    cluster.apply(POD.format(name=name, command=whole, sources=json.dumps(sources)))


def running(cluster: Cluster, name: str) -> Any:
    """The pod, once its container runs."""

    def found() -> Any:
        pod = cluster.get("pod", name, "-n", "identities")
        return pod if pod["status"].get("phase") == "Running" else None

    return eventually(found, 20, f"{name} runs")


def inside(cluster: Cluster, name: str, *command: str) -> Any:
    return cluster.kubectl("exec", "-n", "identities", name, "--", *command)


def leaf(cluster: Cluster, name: str) -> x509.Certificate:
    text = inside(cluster, name, "cat", "/identity/bundle.pem").stdout
    return x509.load_pem_x509_certificates(text.encode())[0]


def test_two_pods_trust_each_other_and_nobody_else(signed: Cluster) -> None:
    start(signed, "server", certificate(), ROOTS, command=["python3", "-I", "-S", "-c", SERVER])
    start(signed, "client", certificate(keyType="ED25519"), ROOTS)
    address = running(signed, "server")["status"]["podIP"]
    running(signed, "client")
    call = ("python3", "-I", "-S", "-c", CLIENT, address)
    told = inside(signed, "client", *call, "known")
    assert told.stdout == "(('DNS', 'client'),)\n", told.stderr
    refused = inside(signed, "client", *call, "unknown")
    assert (refused.returncode, refused.stdout.strip()) != (0, "(('DNS', 'client'),)")


def test_certificates_last_a_day_unless_a_pod_asks_for_less(signed: Cluster) -> None:
    start(signed, "day", certificate())
    start(signed, "hour", certificate(maxExpirationSeconds=3600))
    for name, life in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        running(signed, name)
        found = leaf(signed, name)
        assert found.not_valid_after_utc - found.not_valid_before_utc == life


def test_what_a_pod_says_of_itself_reaches_its_signer(signed: Cluster) -> None:
    start(signed, "spiffe", certificate(userAnnotations={PATH_ANNOTATION: "/ns/identities/a"}))
    running(signed, "spiffe")
    names = leaf(signed, "spiffe").extensions.get_extension_for_class(x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["spiffe://cluster.local/ns/identities/a"]


def test_a_bundle_is_followed_and_waited_for(signed: Cluster) -> None:
    start(signed, "waiting", trust(name="late"))
    start(signed, "content", trust(name="late", optional=True))
    running(signed, "content")
    assert inside(signed, "content", "cat", "/identity/roots.pem").stdout == ""
    assert signed.get("pod", "waiting", "-n", "identities")["status"]["phase"] == "Pending"
    root = Signer(signed).root
    publish(signed, "late", root)
    running(signed, "waiting")
    for name in ("waiting", "content"):
        eventually(
            lambda name=name: inside(signed, name, "cat", "/identity/roots.pem").stdout == root,
            5,
            "the bundle has arrived",
        )
