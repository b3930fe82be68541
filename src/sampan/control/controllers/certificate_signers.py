"""What each signer of kubernetes.io demands of a request for a certificate. Pure.

The rules and words are those of k8s.io/kubernetes `pkg/apis/certificates` and
`pkg/controller/certificates/signer`.
"""

from collections.abc import Callable, Collection

from sampan.foundation.pki.signing_requests import Request
from sampan.foundation.pki.subjects import NODE_PREFIX, NODES_GROUP
from sampan.kubernetes.kinds.certificates.signer_names import (
    API_SERVER_CLIENT,
    KUBELET_CLIENT,
    KUBELET_SERVING,
)

_SIGNATURE, _ENCIPHERMENT = "digital signature", "key encipherment"

Rule = Callable[[Request, Collection[str]], str]
"""What is wrong with a request that asks for these usages; empty when nothing is."""


def client_problem(_request: Request, usages: Collection[str]) -> str:
    """For the certificate of a user."""
    allowed = {"client auth", _SIGNATURE, _ENCIPHERMENT}
    for usage in usages:
        if usage not in allowed:
            return f"invalid usage for client certificate: {usage}"
    if "client auth" not in usages:
        return "missing required usage for client certificate: client auth"
    return ""


def kubelet_client_problem(request: Request, usages: Collection[str]) -> str:
    """For the certificate with which a node's agent calls the API."""
    if request.dns_names:
        return "DNS subjectAltNames are not allowed"
    if request.addresses:
        return "IP subjectAltNames are not allowed"
    return _node_problem(request) or _usage_problem(usages, "client auth")


def kubelet_serving_problem(request: Request, usages: Collection[str]) -> str:
    """For the certificate that a node's agent shows to who calls it."""
    if not request.dns_names and not request.addresses:
        return "DNS or IP subjectAltName is required"
    return _node_problem(request) or _usage_problem(usages, "server auth")


def _node_problem(request: Request) -> str:
    if request.emails:
        return "Email subjectAltNames are not allowed"
    if request.uris:
        return "URI subjectAltNames are not allowed"
    if request.organizations != (NODES_GROUP,):
        return "subject organization is not system:nodes"
    if not request.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node:"
    return ""


def _usage_problem(usages: Collection[str], main: str) -> str:
    least = {_SIGNATURE, main}
    if set(usages) in (least, least | {_ENCIPHERMENT}):
        return ""
    return f"usages did not match [{_SIGNATURE} {main}] or with {_ENCIPHERMENT}"


SIGNERS: dict[str, Rule] = {
    API_SERVER_CLIENT: client_problem,
    KUBELET_CLIENT: kubelet_client_problem,
    KUBELET_SERVING: kubelet_serving_problem,
}
