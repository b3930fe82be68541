"""Which certificates a volume of ClusterTrustBundles holds (KEP-3257). Pure.

The certificates of all bundles that are meant are put together, each of them once; what stands
between them is dropped, and their order means nothing.
"""

import re
from collections.abc import Iterable

from sampan.kubernetes.machinery import selectors
from sampan.node.cluster_view import TrustBundle
from sampan.node.pod_view import TrustProjection
from sampan.node.references import MissingReference

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_LINE = 64


def trust_anchors(source: TrustProjection, bundles: Iterable[TrustBundle]) -> bytes:
    """The certificates as PEM; empty where there are none and that is allowed.

    Raises MissingReference where no bundle is what the source means.
    """
    meant = sorted(_meant(source, bundles), key=lambda bundle: bundle.metadata.name)
    if not meant and not source.optional:
        raise MissingReference(_what_is_missing(source))
    found = {
        "".join(match[1].split())
        for each in meant
        for match in _CERTIFICATE.finditer(each.spec.trust_bundle)
    }
    return "".join(map(_encoded, sorted(found))).encode()


def _meant(source: TrustProjection, bundles: Iterable[TrustBundle]) -> list[TrustBundle]:
    if source.name:
        return [each for each in bundles if each.metadata.name == source.name]
    # A selector that isn't there selects nothing, an empty one everything.
    selector = selectors.from_object(source.label_selector)
    if selector is None:
        return []
    return [
        each
        for each in bundles
        if each.spec.signer_name == source.signer_name and selector.matches(each.metadata.labels)
    ]


def _what_is_missing(source: TrustProjection) -> str:
    if source.name:
        return f'clustertrustbundle.certificates.k8s.io "{source.name}" not found'
    return "combination of signerName and labelSelector matched zero ClusterTrustBundles"


def _encoded(content: str) -> str:
    lines = (content[start : start + _LINE] for start in range(0, len(content), _LINE))
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))
