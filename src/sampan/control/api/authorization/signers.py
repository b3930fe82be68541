"""Permissions on signers of certificates: virtual resources that roles name."""

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.foundation.wire.message import Identity


def may_use_signer(authorizer: Authorizer, identity: Identity, verb: str, signer: str) -> bool:
    """Whether somebody holds `approve`, `sign` or `attest` on a signer: by its name, or by
    `domain/*`."""
    names = (signer, f"{signer.partition('/')[0]}/*")
    return any(authorizer.allows(identity, _on_signer(verb, name)) for name in names)


def _on_signer(verb: str, name: str) -> Attributes:
    return Attributes(
        verb=verb,
        path="",
        is_resource=True,
        group="certificates.k8s.io",
        version="*",
        resource="signers",
        name=name,
    )
