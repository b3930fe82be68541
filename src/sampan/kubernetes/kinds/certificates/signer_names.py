"""The names of signers of certificates: their form (ValidateSignerName), and Kubernetes' own."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required, too_long

API_SERVER_CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
API_SERVER_SERVING = "kubernetes.io/kube-apiserver-serving"
_LONGEST_DOMAIN = 253
_LONGEST_NAME = 571
_FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
_TWO_SEGMENTS = "should be a domain with at least two segments separated by dots"


def check_signer_name(name: str, field: str) -> Iterator[Cause]:
    """`domain/path`, the domain of two labels or more."""
    if not name:
        yield required(field)
        return
    if name.count("/") != 1:
        yield invalid(field, name, _FORM)
        return
    domain, _, path = name.partition("/")
    if len(domain) > _LONGEST_DOMAIN:
        yield too_long(field, _LONGEST_DOMAIN)
    labels = domain.split(".")
    for part, segments, check in (
        (domain, labels, names.label),
        (path, path.split("."), names.subdomain),
    ):
        found = ((it, message) for it in segments for message in check(it))
        wrong = next(found, None)
        if wrong is not None:
            yield invalid(field, part, f'validating label "{wrong[0]}": {wrong[1]}')
    if len(labels) < 2:
        yield invalid(field, domain, _TWO_SEGMENTS)
    if len(name) > _LONGEST_NAME:
        yield too_long(field, _LONGEST_NAME)
