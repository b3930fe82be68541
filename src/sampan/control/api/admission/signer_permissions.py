"""Who may speak for a signer: answer the requests of pods, publish its root certificates.

As Kubernetes' ClusterTrustBundleAttest, and the strategy of PodCertificateRequest.
"""

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.signers import may_use_signer
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import CLUSTER_TRUST_BUNDLES, POD_CERTIFICATE_REQUESTS


class SignerPermissions:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def __call__(self, write: Write) -> None:
        """Raises Refused (403)."""
        resource = write.kind.resource
        if write.new is None:
            return
        if resource == CLUSTER_TRUST_BUNDLES and _signer_of(write.new):
            self._check(write, _signer_of(write.new), "attest")
        elif resource == POD_CERTIFICATE_REQUESTS and write.subresource == "status":
            self._check(write, _signer_of(write.old or write.new), "sign")

    def _check(self, write: Write, signer: str, verb: str) -> None:
        if may_use_signer(self._authorizer, write.identity, verb, signer):
            return
        explanation = (
            f'user "{write.identity.name}" is not permitted to {verb} for signerName "{signer}"'
        )
        raise write.refusal(explanation)


def _signer_of(tree: Object) -> str:
    return str((tree.get("spec") or {}).get("signerName", ""))
