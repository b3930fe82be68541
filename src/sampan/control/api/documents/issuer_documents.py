"""What others need to verify the tokens of service accounts: OpenID Connect discovery.

KEP-1393: the issuer's configuration and its public keys, for whoever may read the two paths.
"""

from collections.abc import Callable

import msgspec

from sampan.control.api.call import Call, Handler
from sampan.foundation.pki.tokens import ALGORITHM, TokenSigner
from sampan.foundation.wire.message import Response

CONFIGURATION_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/openid/v1/jwks"
_MAXIMUM_AGE = "public, max-age=3600"


class IssuerDocuments:
    """Answers for the two paths; `following` for every other."""

    def __init__(self, signer: TokenSigner, server_address: str, following: Handler) -> None:
        self._signer = signer
        self._keys_address = f"https://{server_address}{KEYS_PATH}"
        self._following = following

    async def __call__(self, call: Call) -> Response:
        """Raises what `following` raises."""
        made = self._document(call)
        if made is None:
            return await self._following(call)
        content_type, document = made
        headers = {"Content-Type": content_type, "Cache-Control": _MAXIMUM_AGE}
        return Response(headers=headers, body=msgspec.json.encode(document()))

    def _document(self, call: Call) -> tuple[str, Callable[[], dict[str, object]]] | None:
        if call.request.method not in ("GET", "HEAD"):
            return None
        if call.request.path == CONFIGURATION_PATH:
            return "application/json", self._configuration
        if call.request.path == KEYS_PATH:
            return "application/jwk-set+json", self._signer.key_set
        return None

    def _configuration(self) -> dict[str, object]:
        return {
            "issuer": self._signer.issuer,
            "jwks_uri": self._keys_address,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }
