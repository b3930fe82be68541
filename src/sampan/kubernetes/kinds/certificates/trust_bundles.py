"""ClusterTrustBundle: root certificates that pods may be given."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.certificates.pem_blocks import (
    Block,
    Unreadable,
    blocks,
    certificate_of,
    is_authority,
)
from sampan.kubernetes.kinds.certificates.signer_names import check_signer_name
from sampan.kubernetes.kinds.columns import NAME, NONE, part, text
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import CLUSTER_TRUST_BUNDLES
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, too_long

_MAXIMUM_SIZE = 1 << 20
_FIELD = "spec.trustBundle"
_OMITTED = "<value omitted>"


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    signer = part(new, "spec", "signerName") or ""
    yield from _check_name(new["metadata"].get("name", ""), signer)
    if signer:
        yield from check_signer_name(signer, "spec.signerName")
    bundle = part(new, "spec", "trustBundle") or ""
    if old is None or bundle != part(old, "spec", "trustBundle"):
        yield from _check_bundle(bundle)
    if old is not None:
        before = part(old, "spec", "signerName") or ""
        yield from check_immutable(signer, before, "spec.signerName")


def _check_name(name: str, signer: str) -> Iterator[Cause]:
    """A bundle of a signer is named for it (KEP-3257)."""
    if not name:
        return
    field = "metadata.name"
    if not signer:
        if ":" in name:
            detail = 'ClusterTrustBundle without signer name must not have ":" in its name'
            yield invalid(field, name, detail)
            return
        yield from check_text(names.subdomain, name, field)
        return
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        detail = f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        yield invalid(field, name, detail)
        return
    yield from check_text(names.subdomain, name[len(prefix) :], field)


def _check_bundle(bundle: str) -> Iterator[Cause]:
    if len(bundle) > _MAXIMUM_SIZE:
        yield too_long(_FIELD, _MAXIMUM_SIZE)
        return
    anchors: dict[bytes, list[int]] = {}
    wrong = False
    for index, block in enumerate(blocks(bundle.encode())):
        problem = _problem(block)
        if problem:
            wrong = True
            yield invalid(_FIELD, _OMITTED, f"entry {index} {problem}")
        else:
            anchors.setdefault(block.content or b"", []).append(index)
    if wrong:
        return
    if not anchors:
        yield invalid(_FIELD, _OMITTED, "at least one trust anchor must be provided")
    for indices in anchors.values():
        if len(indices) > 1:
            shown = " ".join(map(str, indices))
            yield invalid(_FIELD, _OMITTED, f"duplicate trust anchor (indices [{shown}])")


def _problem(block: Block) -> str:
    """What is wrong with an entry; empty when nothing is."""
    if block.label != "CERTIFICATE":
        return f"has bad block type: {block.label}"
    if block.has_headers:
        return "has PEM block headers"
    try:
        certificate = certificate_of(block)
    except Unreadable:
        return "does not parse as X.509"
    return "" if is_authority(certificate) else "does not have the CA bit set"


CLUSTER_TRUST_BUNDLE = make(
    CLUSTER_TRUST_BUNDLES,
    rules=_rules,
    name_form="path-segment",
    selectable=("spec.signerName",),
    columns=(
        NAME,
        text(
            "SignerName",
            lambda obj: part(obj, "spec", "signerName") or NONE,
            about="The signer that the bundle belongs to.",
        ),
    ),
)
